"""Proven sequences: iterated greedy, then all beginnings layer by layer, then CP-SAT where OR-Tools is installed."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.pfsp.intervals import intervals
from datamodules.accord.references.pfsp.iterated import iterated_greedy
from datamodules.accord.references.pfsp.layers import layers
from datamodules.accord.references.solvers import has_solvers

__all__ = ["exact"]

SHARE = 0.2  # of the time goes to the plan


def exact(attempt: Attempt) -> None:
    left = attempt.left
    if left is None:
        iterated_greedy(attempt)
    else:
        with attempt.within(SHARE * left):
            iterated_greedy(attempt)
    layers(attempt)
    if has_solvers() and not attempt.ended():
        intervals(attempt)
