"""Intervals that know that frames of one polyp are nearly one frame: polyps are drawn again, never frames (section 5.4).

Shapes: G polyps, D draws.
"""

import numpy as np

__all__ = ["DRAWS", "FEWEST", "draw_polyps", "interval"]

DRAWS, FEWEST, LEVEL = 2000, 10, 0.95


def draw_polyps(groups: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(D,G): how many times each polyp is in each draw of G with replacement. The same for two models on the same polyps."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


def interval(values_D: np.ndarray, groups: int) -> tuple[float, float] | None:
    """The middle 95 % of the draws in which there is a value; None of fewer than 10 polyps, or where half of the draws have none."""
    finite = values_D[np.isfinite(values_D)]
    if groups < FEWEST or len(finite) < len(values_D) / 2:
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
