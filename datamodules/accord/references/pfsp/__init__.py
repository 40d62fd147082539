"""Flow shops: NEH, iterated greedy, exact methods."""

from datamodules.accord.references.pfsp.exact import exact
from datamodules.accord.references.pfsp.intervals import intervals
from datamodules.accord.references.pfsp.iterated import iterated_greedy, search
from datamodules.accord.references.pfsp.neh import neh

__all__ = ["RUNS", "search"]


RUNS = {"neh": neh, "iterated_greedy": iterated_greedy, "local": iterated_greedy, "exact": exact, "cpsat": intervals}
