"""One threshold after the other: errors of verification, exactly (section 5.7). A pair is accepted where its score is t or more.

Scores that tie move together. `weight` counts a pair more than once: the bootstrap's.

Shapes: N pairs, T thresholds.
"""

from typing import NamedTuple

import numpy as np
import torch

__all__ = ["Curve", "TarAtFar", "auc", "curve", "d_prime", "det_points", "eer", "roc", "tar_at_far"]

FEW = 10  # impostors that a false accept rate should stand on, at least this many times its inverse


class Curve(NamedTuple):
    threshold: np.ndarray  # (T,), rising; the last is infinite, where all are refused
    far: np.ndarray  # (T,), share of impostors that are accepted
    frr: np.ndarray  # (T,), share of genuine pairs that are refused
    impostors: float
    genuine: float


class TarAtFar(NamedTuple):
    value: float  # NaN where the pairs do not support the rate
    threshold: float
    reason: str  # why it is NaN, or a warning; else empty


def curve(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None) -> Curve:
    """Both errors at every threshold that changes something."""
    scores, same, weight = checked(scores, same, weight)
    level, number = np.unique(scores, return_inverse=True)
    genuine = np.bincount(number, weight * same, len(level))
    impostor = np.bincount(number, weight * ~same, len(level))
    if not genuine.sum() or not impostor.sum():
        raise ValueError(f"verification needs genuine and impostor pairs; there are {genuine.sum():g} and {impostor.sum():g}")
    below_genuine, below_impostor = (np.concatenate([[0.0], counts.cumsum()]) for counts in (genuine, impostor))
    far, frr = 1 - below_impostor / below_impostor[-1], below_genuine / below_genuine[-1]
    return Curve(np.append(level, np.inf), far, frr, float(below_impostor[-1]), float(below_genuine[-1]))


def checked(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, same = np.asarray(scores, np.float64), np.asarray(same).astype(bool)
    weight = np.ones(len(scores)) if weight is None else np.asarray(weight, np.float64)
    if scores.ndim != 1 or scores.shape != same.shape or scores.shape != weight.shape:
        raise ValueError(f"scores, same and weight are one number a pair, not {scores.shape}, {same.shape} and {weight.shape}")
    if len(wrong := np.flatnonzero(~np.isfinite(scores))):
        raise ValueError(f"score {scores[wrong[0]]} of pair {wrong[0]} is no number; {len(wrong)} of {len(scores)} are not finite")
    return scores, same, weight


def roc(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(FAR, TAR), both rising."""
    c = curve(scores, same, weight)
    return c.far[::-1], 1 - c.frr[::-1]


def eer(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Where both errors are equal, between two thresholds by straight lines."""
    c = curve(scores, same, weight)
    gap = c.far - c.frr  # falls from 1 to -1
    i = int(np.flatnonzero(gap <= 0)[0])
    part = gap[i - 1] / (gap[i - 1] - gap[i])
    return float(c.far[i - 1] + part * (c.far[i] - c.far[i - 1]))


def tar_at_far(scores: np.ndarray, same: np.ndarray, far: float, weight: np.ndarray | None = None) -> TarAtFar:
    """The share of genuine pairs accepted at the smallest threshold that accepts no more impostors than that. Never extrapolated."""
    if not 0 < far <= 1:
        raise ValueError(f"a false accept rate is in (0, 1], not {far}")
    c = curve(scores, same, weight)
    if far * c.impostors < 1 - 1e-9:
        needed = int(np.ceil(1 / far - 1e-9))
        return TarAtFar(float("nan"), float("nan"), f"FAR {far:g} needs >= {needed} impostors; there are {c.impostors:g}")
    i = int(np.flatnonzero(c.far <= far + 1e-12)[0])
    few = f"FAR {far:g} stands on {c.impostors:g} impostors; {FEW / far:.0f} would be enough" if far * c.impostors < FEW else ""
    return TarAtFar(float(1 - c.frr[i]), float(c.threshold[i]), few)


def auc(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None) -> float:
    """P(a genuine pair scores above an impostor) + half of P(they tie)."""
    far, tar = roc(scores, same, weight)
    return float(((tar[1:] + tar[:-1]) / 2 * np.diff(far)).sum())


def det_points(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(FAR, FRR) on probit axes; rates of 0 and 1 are drawn at 1/(2n) from the edge."""
    c = curve(scores, same)

    def probit(rate: np.ndarray, n: float) -> np.ndarray:
        edge = 1 / (2 * n)
        return torch.special.ndtri(torch.from_numpy(rate.clip(edge, 1 - edge))).numpy()

    return probit(c.far, c.impostors), probit(c.frr, c.genuine)


def d_prime(scores: np.ndarray, same: np.ndarray) -> float:
    """How many deviations the two kinds of pairs are apart."""
    scores, same, _ = checked(scores, same, None)
    genuine, impostor = scores[same], scores[~same]
    return float(abs(genuine.mean() - impostor.mean()) / np.sqrt((genuine.var() + impostor.var()) / 2))
