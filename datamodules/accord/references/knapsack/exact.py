"""Proven optima: over the capacity where that is a small table, else by the core."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.capacity import BITS, cells, dp
from datamodules.accord.references.knapsack.core import core

__all__ = ["exact"]

SMALL = 3 << 20  # cells: a few milliseconds


def exact(attempt: Attempt) -> None:
    size = cells(attempt.instance)
    if size <= SMALL:
        return dp(attempt)
    core(attempt)
    if not attempt.ended() and size <= BITS >> 2:
        dp(attempt)
    return None
