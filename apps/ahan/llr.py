"""How much more likely is this score of one person than of two? Monotone maps from score to log-likelihood ratio (section 5.7).

Shapes: N pairs, K knots.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from datamodules.ahan.family_folds import family_folds

__all__ = ["KINDS", "Llr", "cllr", "cllr_held_out", "fit"]

Kind = Literal["logistic", "pav"]
KINDS = ("logistic", "pav")
RIDGE = 1e-3  # ours: of one pair's worth, so that separated scores have a finite slope
STEPS = 50
FOLDS = 10


@dataclass(frozen=True)
class Llr:
    """Natural logarithms at rising scores, straight lines between them; beyond the ends the last value (pav) or slope (logistic)."""

    kind: Kind
    score: tuple[float, ...]
    llr: tuple[float, ...]

    def __post_init__(self) -> None:
        score, llr = np.array(self.score, np.float64), np.array(self.llr, np.float64)
        if self.kind not in KINDS or len(score) < 2 or score.shape != llr.shape or not np.isfinite([score, llr]).all():
            raise ValueError(f"a map of kind {self.kind!r} from {len(self.score)} scores to {len(self.llr)} numbers")
        if (np.diff(score) < 0).any() or (np.diff(llr) < 0).any():
            raise ValueError("a map whose ratio falls while the score rises")

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        scores = np.asarray(scores, np.float64)
        found = np.interp(scores, self.score, self.llr)
        if self.kind == "logistic":
            slope = (self.llr[-1] - self.llr[0]) / (self.score[-1] - self.score[0])
            found = self.llr[0] + slope * (scores - self.score[0])
        return found


def fit(scores: np.ndarray, same: np.ndarray, kind: Kind = "logistic") -> Llr:
    """Genuine pairs and impostors count alike, so that the odds are the ratio itself."""
    scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
    return _logistic(scores, same) if kind == "logistic" else _pav(scores, same)


def cllr(llr: np.ndarray, same: np.ndarray) -> float:
    """Bits that are lost a decision: 0 perfect, 1 as good as no score."""
    llr, same = np.asarray(llr, np.float64), np.asarray(same, bool)
    return float((np.logaddexp(0, -llr[same]).mean() + np.logaddexp(0, llr[~same]).mean()) / (2 * np.log(2)))


def cllr_held_out(scores: np.ndarray, same: np.ndarray, family_N2: np.ndarray, kind: Kind) -> float:
    """Each pair by the map of other families: pairs that were fitted flatter. NaN where there are too few families."""
    scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
    if len(np.unique(family_N2)) < FOLDS:
        return float("nan")
    fold = family_folds(family_N2, FOLDS)
    judged, answers = [], []
    for name in range(FOLDS):
        here, others = fold == name, (fold != name) & (fold >= 0)
        if here.any() and same[others].any() and not same[others].all():
            judged.append(same[here])
            answers.append(fit(scores[others], same[others], kind)(scores[here]))
    known = np.concatenate(judged) if judged else np.array([], bool)
    return cllr(np.concatenate(answers), known) if known.any() and not known.all() else float("nan")


def _logistic(scores: np.ndarray, same: np.ndarray) -> Llr:
    """Newton's method on standardised scores; the slope is never negative."""
    centre, spread = scores.mean(), max(scores.std(), 1e-9)
    x_N = (scores - centre) / spread
    weight_N = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    slope = offset = 0.0
    for _ in range(STEPS):
        p_N = 1 / (1 + np.exp(-np.clip(slope * x_N + offset, -500, 500)))
        error_N, curve_N = weight_N * (p_N - same), weight_N * p_N * (1 - p_N)
        gradient = np.array([(error_N * x_N).sum() + RIDGE * slope / len(x_N), error_N.sum()])
        hessian = np.array([[(curve_N * x_N**2).sum() + RIDGE / len(x_N), (curve_N * x_N).sum()], [(curve_N * x_N).sum(), curve_N.sum()]])
        step = np.linalg.solve(hessian + 1e-12 * np.eye(2), gradient)
        step *= min(1.0, 4.0 / max(np.abs(step).max(), 1e-12))  # far from the valley a whole step would overshoot
        slope, offset = slope - step[0], offset - step[1]
        if np.abs(step).max() < 1e-9:
            break
    if slope < 0:
        slope = offset = 0.0  # a score that tells the wrong way round is no evidence
    low, high = scores.min(), max(scores.max(), scores.min() + 1e-6)
    at = [slope * (value - centre) / spread + offset for value in (low, high)]
    return Llr("logistic", (float(low), float(high)), (float(at[0]), float(max(at))))


def _pav(scores: np.ndarray, same: np.ndarray) -> Llr:
    """Pool adjacent violators, one pair of either kind added at each end, so that no ratio is infinite."""
    from scipy.optimize import isotonic_regression

    level_K, number_N = np.unique(scores, return_inverse=True)
    genuine_K = np.bincount(number_N, same, len(level_K)) / same.sum()
    impostor_K = np.bincount(number_N, ~same, len(level_K)) / (~same).sum()
    one, other = 1 / same.sum(), 1 / (~same).sum()
    genuine_K, impostor_K = (np.concatenate([[extra], part, [extra]]) for extra, part in ((one, genuine_K), (other, impostor_K)))
    weight_K = genuine_K + impostor_K
    p_K = isotonic_regression(genuine_K / weight_K, weights=weight_K).x[1:-1].clip(1e-12, 1 - 1e-12)
    llr_K = np.log(p_K) - np.log1p(-p_K)
    inner = np.flatnonzero(np.diff(llr_K) > 1e-12)  # of a block its two ends are enough
    keep = np.unique(np.concatenate([[0], inner, inner + 1, [len(llr_K) - 1]]))
    level_K, llr_K = level_K[keep], np.maximum.accumulate(llr_K[keep])
    if len(level_K) == 1:
        level_K, llr_K = np.array([level_K[0], level_K[0] + 1e-6]), np.repeat(llr_K, 2)
    return Llr("pav", tuple(map(float, level_K)), tuple(map(float, llr_K)))
