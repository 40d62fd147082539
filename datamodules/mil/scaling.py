"""Features on the scale that models take, by the instances of the training bags. What is fitted here travels as plain values in
checkpoints and is applied again in exported files.

Shapes: N instances, F features, K knots.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol

import numpy as np

__all__ = ["KNOTS", "Deviations", "Ranks", "Scaler", "fit_deviations", "fit_ranks", "normal_scores", "scaling_facts"]

KNOTS = 257  # of a feature's distribution
MOST = 100_000  # instances that the knots are taken from


class Readable(Protocol):
    """Bags, see datamodules.mil.bags.Source."""

    width: int

    def read(self, index: int) -> np.ndarray: ...


class Deviations(NamedTuple):
    """Mean 0 and deviation 1."""

    mean: np.ndarray
    std: np.ndarray
    clip: float | None = None  # how many deviations from the mean a value may be

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = (x - self.mean) / self.std
        return x if self.clip is None else x.clip(-self.clip, self.clip)


class Ranks(NamedTuple):
    """Normal scores: each value by its rank among the training instances', put where a normal distribution has that rank. Heavy tails and
    odd units are gone; what is left is which value is larger."""

    knots_FK: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        scores, z = normal_scores(), np.empty(x.shape, np.float32)
        for f, knots_K in enumerate(self.knots_FK):
            # equal knots share their middle rank
            z[:, f] = scores[np.searchsorted(knots_K, x[:, f], "left") + np.searchsorted(knots_K, x[:, f], "right")]
        return z


Scaler = Deviations | Ranks


def normal_scores() -> np.ndarray:
    """Of the 2 K + 1 places that a value can have among K knots: between two of them, or on one."""
    inner = [NormalDist().inv_cdf(place / (2 * KNOTS)) for place in range(1, 2 * KNOTS)]
    return np.array([inner[0], *inner, inner[-1]], np.float32)


def fit_deviations(source: Readable, indices: Sequence[int], clip: float | None = None) -> Deviations:
    """Bag after bag; a constant feature keeps its scale."""
    count, total, square = 0, np.zeros(source.width), np.zeros(source.width)
    for index in indices:
        x = source.read(int(index)).astype(np.float64)
        count, total, square = count + len(x), total + x.sum(0), square + (x**2).sum(0)
    mean = total / max(count, 1)
    variance = np.maximum(square / max(count, 1) - mean**2, 0.0)
    std = np.where(variance > 1e-12 * np.maximum(mean**2, 1e-12), np.sqrt(variance), 1.0)
    return Deviations(mean.astype(np.float32), std.astype(np.float32), clip)


def fit_ranks(source: Readable, indices: Sequence[int]) -> Ranks:
    """From all instances, or as many of each bag, evenly spaced, as make about a hundred thousand in all."""
    each = max(1, MOST // max(1, len(indices)))
    parts = []
    for index in indices:
        x = source.read(int(index))
        parts.append(x[np.linspace(0, len(x) - 1, min(each, len(x))).round().astype(np.int64)])
    x_NF = np.concatenate(parts)
    at_K = (np.arange(KNOTS) + 0.5) / KNOTS
    return Ranks(np.quantile(x_NF, at_K, axis=0, method="inverted_cdf").T.astype(np.float32).copy())


def scaling_facts(scaler: Scaler | None) -> dict[str, Any]:
    """As plain values; `knots` F lists of K."""
    found: dict[str, Any] = {"mean": None, "std": None, "clip": None, "knots": None}
    if isinstance(scaler, Ranks):
        found["knots"] = scaler.knots_FK.tolist()
    elif scaler is not None:
        found |= {"mean": scaler.mean.tolist(), "std": scaler.std.tolist(), "clip": scaler.clip}
    return found
