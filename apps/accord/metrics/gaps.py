"""Gaps of whole columns of answers (ACCORD brief 5.4); of a single one see datamodules.accord.gaps.

N answers.
"""

from collections.abc import Mapping

import numpy as np

from datamodules.accord.instances import MAXIMISED

__all__ = ["gaps_of", "mean_of_kinds"]


def gaps_of(kind: str, objective_N: np.ndarray, best_N: np.ndarray) -> np.ndarray:
    """Per cent worse than the best known, signed; where that is 0, 0 for the same and infinite for another."""
    worse_N = (best_N - objective_N if kind in MAXIMISED else objective_N - best_N).astype(np.float64)
    known_N = best_N != 0
    return np.where(known_N, 100 * worse_N / np.where(known_N, best_N, 1), np.where(worse_N == 0, 0.0, np.copysign(np.inf, worse_N)))


def mean_of_kinds(name: str, by_kind: Mapping[str, float]) -> dict[str, float]:
    """{name: mean over the kinds, name_tsp: ..., ...}: every kind counts the same, however many problems it has."""
    return {name: float(np.mean(list(by_kind.values()))), **{f"{name}_{kind}": value for kind, value in by_kind.items()}}
