"""The AUC of all bags together, each answered by the model that was not trained on it, and its interval by drawing patients.

Shapes: R cross-validations of the same bags (repeats, seeds), N bags, C classes, B draws, P patients, G different scores.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Pooled", "pooled_auc"]

DRAWS = 2000
CHUNK = 1 << 22  # numbers held at once


class Pooled(NamedTuple):
    auc: float  # the mean over the cross-validations
    low: float  # 95 %: between the 2.5th and the 97.5th of a hundred draws
    high: float
    draws: int  # those in which an AUC is defined


def pooled_auc(probs_RNC: np.ndarray, labels_N: np.ndarray, patients_N: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Pooled:
    """Of two classes the AUC of the second, of more the mean of each against the rest; classes that are missing are left out.

    probs_RNC: a bag that a cross-validation did not test is NaN there
    patients_N: who is drawn, with all bags at once: bags of one patient are not independent
    """
    names, owner_N = np.unique(patients_N, return_inverse=True)
    once = _mean_auc(probs_RNC, labels_N, np.ones((1, len(labels_N))))
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 2**64 - 3], np.uint64)))
    found = []
    size = max(1, CHUNK // max(1, len(labels_N)))
    for first in range(0, draws, size):
        times_BP = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), min(size, draws - first))
        found.append(_mean_auc(probs_RNC, labels_N, times_BP[:, owner_N].astype(np.float64)))
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (np.nan, np.nan)
    return Pooled(float(once[0]), float(low), float(high), len(values))


def _mean_auc(probs_RNC: np.ndarray, labels_N: np.ndarray, weight_BN: np.ndarray) -> np.ndarray:
    """(B,): over classes, then over cross-validations."""
    classes = probs_RNC.shape[2]
    shown = [1] if classes == 2 else range(classes)
    means = []
    for probs_NC in probs_RNC:
        own = ~np.isnan(probs_NC[:, 0])
        each = [_weighted_auc(probs_NC[own, c], labels_N[own] == c, weight_BN[:, own]) for c in shown]
        means.append(_nanmean(np.stack(each)))
    return _nanmean(np.stack(means))


def _weighted_auc(scores_N: np.ndarray, positive_N: np.ndarray, weight_BN: np.ndarray) -> np.ndarray:
    """(B,): Mann-Whitney where a bag counts as often as it was drawn; a tie counts one half, NaN where one class is missing."""
    if not len(scores_N):
        return np.full(len(weight_BN), np.nan)
    order_N = np.argsort(scores_N, kind="stable")
    starts_G = np.flatnonzero(np.diff(scores_N[order_N], prepend=-np.inf))
    positive_BG, negative_BG = (
        np.add.reduceat(np.where(side_N[order_N], weight_BN[:, order_N], 0.0), starts_G, axis=1) for side_N in (positive_N, ~positive_N)
    )
    below_BG = negative_BG.cumsum(1) - negative_BG / 2
    pairs_B = positive_BG.sum(1) * negative_BG.sum(1)
    return np.divide((positive_BG * below_BG).sum(1), pairs_B, out=np.full(len(pairs_B), np.nan), where=pairs_B > 0)


def _nanmean(values_KB: np.ndarray) -> np.ndarray:
    known_KB = ~np.isnan(values_KB)
    count_B = known_KB.sum(0)
    return np.divide(np.where(known_KB, values_KB, 0.0).sum(0), count_B, out=np.full(len(count_B), np.nan), where=count_B > 0)
