"""How many impostors score as much: the rate of false accepts at any score, of the impostors that a threshold was calibrated on (4.4).

Shapes: N impostor pairs, K knots.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FarCurve", "far_curve"]

KNOTS = 64  # rates from one impostor to all of them, evenly by their logarithm


@dataclass(frozen=True)
class FarCurve:
    """score: rising. far: from behind the score before it up to this one, the most impostors that score as much or more, falling."""

    score: tuple[float, ...]
    far: tuple[float, ...]

    def __post_init__(self) -> None:
        score, far = np.array(self.score, np.float64), np.array(self.far, np.float64)
        if not len(score) or score.shape != far.shape or not np.isfinite([score, far]).all():
            raise ValueError(f"rates at {len(self.score)} scores: {len(self.far)}")
        if (np.diff(score) <= 0).any() or (np.diff(far) > 0).any() or far.min() <= 0 or far.max() > 1:
            raise ValueError("scores that do not rise, or rates that do")

    def __call__(self, score: float) -> float:
        """Never too low, and above the highest impostor the rate of this one, never 0."""
        return self.far[min(int(np.searchsorted(self.score, score)), len(self.far) - 1)]


def far_curve(scores_N: np.ndarray) -> FarCurve:
    """Of impostors."""
    level, count = np.unique(np.asarray(scores_N, np.float64), return_counts=True)
    far = count[::-1].cumsum()[::-1] / count.sum()
    wanted = np.geomspace(1 / count.sum(), 1, KNOTS)
    # of each rate the first score that holds it; both ends are always there
    keep = np.unique(np.concatenate([[0, len(level) - 1], np.searchsorted(-far, -wanted - 1e-12).clip(max=len(level) - 1)]))
    behind = np.concatenate([[0], keep[:-1] + 1])  # the first level that a knot speaks for
    return FarCurve(tuple(level[keep].tolist()), tuple(far[behind].tolist()))
