"""Proven packings: the bound met by fits, slack or local search, else patterns, else every completion of the bins."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.search import search, slack

__all__ = ["exact"]


def exact(attempt: Attempt) -> None:
    slack(attempt)
    search(attempt, 40 * attempt.instance.size)
