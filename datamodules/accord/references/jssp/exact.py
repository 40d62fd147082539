"""Proven schedules: tabu search, then CP-SAT where OR-Tools is installed, else all active beginnings layer by layer."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.jssp.intervals import intervals
from datamodules.accord.references.jssp.layers import layers
from datamodules.accord.references.jssp.tabu import rules, search, tabu
from datamodules.accord.references.solvers import has_solvers

__all__ = ["exact"]

SHARE = 0.2  # of the time, at most a second, goes to the plan
FIRST = 5  # moves per operation before a proof that has no clock


def exact(attempt: Attempt) -> None:
    left = attempt.left
    if left is None:
        rules(attempt)
        search(attempt, FIRST * sum(len(job) for job in attempt.instance.jobs))
    else:
        with attempt.within(min(1.0, SHARE * left)):
            tabu(attempt)
    if attempt.ended():
        return
    if has_solvers():
        intervals(attempt)
    else:
        layers(attempt)
        if left is not None:
            search(attempt, None)
