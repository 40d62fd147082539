"""Proven rounds: Held and Karp's programme where it is small, else cutting planes."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.tsp.held_karp import held_karp

__all__ = ["cuts", "exact"]

SMALL = 12  # nodes: a few milliseconds


def exact(attempt: Attempt) -> None:
    if attempt.instance.size <= SMALL:
        held_karp(attempt)
    else:
        cuts(attempt)


def cuts(attempt: Attempt) -> None:
    """SciPy's optimisers are loaded here: they take longer than the other methods need for an answer."""
    from datamodules.accord.references.tsp.cuts import cuts as run

    run(attempt)
