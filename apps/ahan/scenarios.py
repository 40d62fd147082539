"""Pairs of a split with their scores, and how well each kind of impostor is told from the person (section 5.7).

Shapes: N pairs, M images, E width of the embedding.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.ahan.metrics import accuracy_folds, auc, best_threshold, cluster_bootstrap, d_prime, eer, tar_at_far
from datamodules.ahan.family_folds import family_folds
from datamodules.ahan.pairs import GENUINE, KIN, OTHER, TWIN, Pairs

__all__ = ["FARS", "Scored", "accuracy_at", "measured", "scenarios", "score", "spread", "thresholds"]

FARS = (0.1, 0.01, 0.001)
FOLDS = 10
DRAWS = 1000
UNKNOWN = -1  # a fold that is not given


class Scored(NamedTuple):
    """Genuine pairs and the impostors of one kind."""

    first: np.ndarray  # (N,) numbers of the images
    second: np.ndarray
    same: np.ndarray  # bool (N,)
    score: np.ndarray  # (N,) cosines
    family: np.ndarray  # (N,2) of both images
    fold: np.ndarray  # (N,), -1: none is given

    def of(self, keep: np.ndarray) -> "Scored":
        return Scored(*(column[keep] for column in self))


def score(vectors_ME: np.ndarray, number_M: np.ndarray, numbers_S4: np.ndarray, pairs: Pairs) -> tuple[Scored, np.ndarray]:
    """(all pairs with their cosines, the kind of each).

    numbers: person, family, visit and id of the images of the split, whose rows the pairs name
    """
    order = np.argsort(number_M)
    at = order[np.searchsorted(number_M, numbers_S4[:, 3], sorter=order)]  # where each row of the split was answered
    first, second = at[pairs.first], at[pairs.second]
    cosine_N = np.einsum("ne,ne->n", vectors_ME[first], vectors_ME[second])
    family_N2 = np.stack([numbers_S4[pairs.first, 1], numbers_S4[pairs.second, 1]], 1)
    return Scored(number_M[first], number_M[second], pairs.same, cosine_N, family_N2, pairs.fold), pairs.kind


def scenarios(scored: Scored, kind_N: np.ndarray) -> dict[str, Scored]:
    """general, kin and twin, as far as there are such pairs: all genuine ones with the impostors of the kind."""
    found = {kind: scored.of((kind_N == GENUINE) | (kind_N == kind)) for kind in (OTHER, KIN, TWIN)}
    return {name: each for name, each in found.items() if each.same.any() and not each.same.all()}


def measured(each: Mapping[str, Scored]) -> dict[str, float]:
    """What needs no threshold, by scenario: EER, AUC, d', TAR at each FAR that the impostors support, accuracy over folds."""
    found = {}
    for name, pairs in each.items():
        values = {"eer": eer(pairs.score, pairs.same), "auc": auc(pairs.score, pairs.same), "d_prime": d_prime(pairs.score, pairs.same)}
        values |= {f"tar_far_{far:g}": tar_at_far(pairs.score, pairs.same, far).value for far in FARS}
        if (fold := folds(pairs)) is not None:
            over = accuracy_folds(pairs.score, pairs.same, fold, balanced=True)
            values |= {"accuracy_folds": over.mean, "accuracy_folds_error": over.standard_error}
        found |= {f"{name}_{key}": value for key, value in values.items() if np.isfinite(value)}
    return found


def folds(pairs: Scored) -> np.ndarray | None:
    """Those of the list, else ten of whole families; None where a fold would lack one kind of pair."""
    fold = pairs.fold
    if (fold == UNKNOWN).all() and len(np.unique(pairs.family)) >= FOLDS:
        fold = family_folds(pairs.family, FOLDS)
    names = np.unique(fold[fold != UNKNOWN])
    whole = all(pairs.same[fold == name].any() and not pairs.same[fold == name].all() for name in names)
    return fold if len(names) > 1 and whole else None


def thresholds(each: Mapping[str, Scored]) -> dict[str, float]:
    """Where genuine pairs and impostors, counting alike, are told apart best."""
    return {name: best_threshold(pairs.score, pairs.same, balanced=True)[0] for name, pairs in each.items()}


def accuracy_at(scores: np.ndarray, same: np.ndarray, weight: np.ndarray, threshold: float) -> float:
    """Of genuine pairs and impostors alike."""
    right = (scores >= threshold) == same
    return float(np.mean([np.average(right[same == kind], weights=weight[same == kind]) for kind in (True, False)]))


def spread(each: Mapping[str, Scored], at: Mapping[str, float], seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """{scenario: {metric: Interval}}, of draws of families; accuracy where a threshold is given."""
    found: dict[str, Any] = {}
    for name, pairs in each.items():
        if len(np.unique(pairs.family)) < 2:
            continue
        metrics: dict[str, Any] = {"eer": eer, "auc": auc, "tar_far_0.01": lambda s, y, w: tar_at_far(s, y, 0.01, w).value}
        if name in at:
            metrics["accuracy"] = lambda s, y, w, t=at[name]: accuracy_at(s, y, w, t)
        supported = {
            key: metric for key, metric in metrics.items() if np.isfinite(metric(pairs.score, pairs.same, np.ones(len(pairs.score))))
        }
        found[name] = {
            key: cluster_bootstrap(metric, pairs.score, pairs.same, pairs.family, draws, seed=seed) for key, metric in supported.items()
        }
    return found
