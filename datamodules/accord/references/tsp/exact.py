"""Proven rounds: Held and Karp's programme where it is small, else cutting planes."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.tsp.cuts import cuts
from datamodules.accord.references.tsp.held_karp import held_karp

__all__ = ["exact"]

SMALL = 12  # nodes: a few milliseconds


def exact(attempt: Attempt) -> None:
    if attempt.instance.size <= SMALL:
        held_karp(attempt)
    else:
        cuts(attempt)
