"""Proven packings: the bound met by fits, slack or local search; else every packing that matters, as long as that is a moment; else
patterns, whose bound is nearly always the optimum; and at last every packing once more.
"""

import math

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.assign import assign
from datamodules.accord.references.binpack.completion import completion
from datamodules.accord.references.binpack.fit import bfd
from datamodules.accord.references.binpack.search import fullest, search
from datamodules.accord.references.solvers import has_solvers

__all__ = ["exact"]

FIRST = 20  # rounds of local search per item before the patterns
MOMENT, NODES = 5_000, 200_000  # packings begun: some hundredths of a second; and what is not settled by then is hard
SHARE = 0.6  # of the time left: the most that each of these methods takes


def exact(attempt: Attempt) -> None:
    if attempt.plan is None:
        fullest(attempt)  # of equally few bins full ones first: who learns from these plans can see why
        bfd(attempt)
    search(attempt, FIRST * attempt.instance.size)
    if not attempt.ended():
        completion(attempt, MOMENT)
    if not attempt.ended():
        from datamodules.accord.references.binpack.patterns import patterns  # loads SciPy's optimisers, which takes a while

        with attempt.within(_part(attempt)):
            patterns(attempt)
    if not attempt.ended():
        with attempt.within(_part(attempt)):
            completion(attempt, NODES)
    if attempt.left is not None and not attempt.ended():
        with attempt.within(_part(attempt) if has_solvers() else attempt.left):
            search(attempt, None)
    if has_solvers() and not attempt.ended():
        assign(attempt)


def _part(attempt: Attempt) -> float:
    """Seconds that a method gets."""
    return math.inf if attempt.left is None else SHARE * attempt.left
