"""How far the mean of a few trainings may lie from that of many."""

import math
import statistics
from collections.abc import Sequence

from scipy.special import stdtrit

__all__ = ["interval", "mean_and_interval"]


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    if len(values) < 2:
        return math.nan
    t = float(stdtrit(len(values) - 1, 0.975))  # Student's, two-sided
    return t * statistics.stdev(values) / math.sqrt(len(values))


def mean_and_interval(mean: float, half: float) -> str:
    return f"{mean:.4f}" if math.isnan(half) else f"{mean:.4f} ± {half:.4f}"
