"""Intervals that know that pairs of one family depend on each other: families are drawn, not pairs (section 5.7).

Shapes: N pairs, F families.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "cluster_bootstrap"]

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # scores, same, weight


class Interval(NamedTuple):
    value: float
    low: float
    high: float
    families: int
    draws: int  # of which the metric had a value


def cluster_bootstrap(
    metric: Metric, scores: np.ndarray, same: np.ndarray, family_N2: np.ndarray, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The metric with its percentile interval. A family that is drawn n times weighs its pairs n, those with another one n times its n.

    family: of both images, (N,2); people take their place where there are no families. Draws without genuine or without impostor
    pairs, or in which the metric is NaN, are left out and counted.

    >>> cluster_bootstrap(eer, scores, same, families)
    """
    scores, same, family_N2 = np.asarray(scores, np.float64), np.asarray(same).astype(bool), np.asarray(family_N2)
    if family_N2.shape != (len(scores), 2):
        raise ValueError(f"family is two numbers a pair, ({len(scores)}, 2), not {family_N2.shape}")
    names, number = np.unique(family_N2, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"an interval needs two families or more to draw from; there is {len(names)}")
    first, second = number.reshape(family_N2.shape).T
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        weight = np.where(first == second, times[first], times[first] * times[second])
        drawn = weight > 0
        if same[drawn].any() and not same[drawn].all():
            found.append(metric(scores[drawn], same[drawn], weight[drawn].astype(np.float64)))
    values = np.array(found)[np.isfinite(found)] if found else np.array([])
    if not len(values):
        raise ValueError(f"none of {draws} draws of {len(names)} families gave the metric a value; there are too few pairs")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(metric(scores, same, np.ones(len(scores)))), float(low), float(high), len(names), len(values))
