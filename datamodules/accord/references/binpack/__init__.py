"""Bins: fits, minimum bin slack, local search, exact methods."""

from datamodules.accord.references.binpack.assign import assign
from datamodules.accord.references.binpack.exact import exact
from datamodules.accord.references.binpack.fit import bfd, ffd
from datamodules.accord.references.binpack.search import local, search, slack

__all__ = ["RUNS", "search"]

RUNS = {"ffd": ffd, "bfd": bfd, "slack": slack, "local": local, "exact": exact, "cpsat": assign}
