"""Proven routes: over subsets where they are few, else CP-SAT where OR-Tools is installed, from a plan of local search."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.cvrp.circuits import circuits
from datamodules.accord.references.cvrp.search import local
from datamodules.accord.references.cvrp.subsets import subsets
from datamodules.accord.references.solvers import has_solvers

__all__ = ["exact"]

SMALL = 10  # customers
SHARE = 0.3  # of the time goes to the plan


def exact(attempt: Attempt) -> None:
    if attempt.instance.size <= SMALL:
        subsets(attempt)
        return
    left = attempt.left
    if left is None:
        local(attempt)
    else:
        with attempt.within(left * SHARE if has_solvers() else left):
            local(attempt)
    if has_solvers() and not attempt.ended():
        circuits(attempt)
