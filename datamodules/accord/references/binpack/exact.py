"""Proven packings: the bound met by fits, slack or local search; else patterns, and at last every packing that matters."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.assign import assign
from datamodules.accord.references.binpack.completion import completion
from datamodules.accord.references.binpack.search import search, slack
from datamodules.accord.references.solvers import has_solvers

__all__ = ["exact"]

FIRST = 20  # rounds of local search per item before the patterns
SHARE = 0.4  # of the time left: the patterns' most


def exact(attempt: Attempt) -> None:
    if attempt.plan is None:
        slack(attempt)
    search(attempt, FIRST * attempt.instance.size)
    if not attempt.ended():
        completion(attempt)
    if not attempt.ended():
        from datamodules.accord.references.binpack.patterns import patterns  # loads SciPy's optimisers, which takes a while

        with attempt.within(1e9 if attempt.left is None else SHARE * attempt.left):
            patterns(attempt)
    if attempt.left is not None and not attempt.ended():
        with attempt.within(SHARE * attempt.left if has_solvers() else attempt.left):
            search(attempt, None)
    if has_solvers() and not attempt.ended():
        assign(attempt)
