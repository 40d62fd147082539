"""The area under the ROC curve for any draw of polyps at once: pairs are counted once, between polyps (section 5.4).

Shapes: N frames, G polyps, D draws.
"""

import numpy as np

__all__ = ["Pairs", "auroc"]


class Pairs:
    """How often a positive frame of one polyp scores above a negative one of another; a tie counts half.

    score: NaN is an answer that is none, and loses every comparison.
    """

    def __init__(self, score_N: np.ndarray, above_N: np.ndarray, group_N: np.ndarray, groups: int) -> None:
        score_N, above_N = np.asarray(score_N, np.float64), np.asarray(above_N, bool)
        score_N = np.where(np.isfinite(score_N), score_N, np.where(above_N, -np.inf, np.inf))
        self.positive_G = np.bincount(group_N[above_N], minlength=groups).astype(np.float64)
        self.negative_G = np.bincount(group_N[~above_N], minlength=groups).astype(np.float64)
        positives, negatives = np.flatnonzero(self.positive_G), np.flatnonzero(self.negative_G)
        self._positives, self._negatives = positives, negatives
        self.wins = np.zeros((len(positives), len(negatives)))  # by polyp of the positive, by polyp of the negative
        row = np.full(groups, -1)
        row[positives] = np.arange(len(positives))
        for column, group in enumerate(negatives):
            level = np.sort(score_N[(group_N == group) & ~above_N])
            below = np.searchsorted(level, score_N[above_N]) + np.searchsorted(level, score_N[above_N], "right")
            self.wins[:, column] = np.bincount(row[group_N[above_N]], below / 2, len(positives))

    def area(self, times_DG: np.ndarray) -> np.ndarray:
        """(D,): each polyp counted so many times. NaN where a draw lacks one of the two sides."""
        won = ((times_DG[..., self._positives] @ self.wins) * times_DG[..., self._negatives]).sum(-1)
        pairs = (times_DG @ self.positive_G) * (times_DG @ self.negative_G)
        return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1.0), np.nan)


def auroc(score_N: np.ndarray, above_N: np.ndarray) -> float | None:
    """P(a positive scores above a negative) + half of P(they tie); None with one class only."""
    found = Pairs(score_N, above_N, np.zeros(len(above_N), np.int64), 1).area(np.ones(1))
    return None if np.isnan(found) else float(found)
