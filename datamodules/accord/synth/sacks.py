"""knapsack: real values and weights of [0, 1] as the learning papers draw them, and the 13 classes of Pisinger (2005) that kplib uses."""

from collections.abc import Callable
from math import isqrt

import numpy as np

from datamodules.accord.errors import InvalidInstanceError
from datamodules.accord.instances import Knapsack
from datamodules.accord.synth.draws import Draws

__all__ = ["CLASSES", "SCALE", "knapsack"]

SCALE = 10**6
R = 1000  # the range of the classes

Items = tuple[np.ndarray, np.ndarray]  # values, weights


def knapsack(draws: Draws, size: int, dist: str, name: str, capacity: float | None) -> Knapsack:
    """capacity: in real units, so that 12.5 is 12 500 000 of a uniform instance."""
    if dist == "uniform":
        values, weights = draws.integers(1, SCALE, size), draws.integers(1, SCALE, size)
        real = _capacity(size) if capacity is None else capacity
        holds = round(real * SCALE)
        if abs(holds - real * SCALE) > 1e-3:
            raise InvalidInstanceError(f"capacity {real!r}: more than six decimals")
        return Knapsack(values, weights, holds, name=name, scale=SCALE, value_scale=SCALE)
    values, weights = CLASSES[dist](draws, size)
    if capacity is not None and capacity != int(capacity):
        raise InvalidInstanceError(f"capacity {capacity:g}: the weights of {dist} are whole numbers, and so is the capacity")
    holds = 50 * int(weights.sum()) // 101 if capacity is None else int(capacity)  # the middle one of Pisinger's hundred
    return Knapsack(values, weights, holds, name=name)


def _capacity(size: int) -> float:
    """12.5 for 50 items, 25 for 100 and 200, as published; ours: a quarter of the items otherwise."""
    return 25.0 if size == 200 else size / 4


def _weights(draws: Draws, size: int) -> np.ndarray:
    return draws.integers(1, R, size)


def _uncorrelated(draws: Draws, size: int) -> Items:
    return draws.integers(1, R, size), _weights(draws, size)


def _weakly(draws: Draws, size: int) -> Items:
    w = _weights(draws, size)
    return np.maximum(1, w + draws.integers(-R // 10, R // 10, size)), w


def _strongly(draws: Draws, size: int) -> Items:
    w = _weights(draws, size)
    return w + R // 10, w


def _inverse(draws: Draws, size: int) -> Items:
    v = draws.integers(1, R, size)
    return v, v + R // 10


def _almost(draws: Draws, size: int) -> Items:
    w = _weights(draws, size)
    return w + R // 10 + draws.integers(-R // 500, R // 500, size), w


def _subset_sum(draws: Draws, size: int) -> Items:
    w = _weights(draws, size)
    return w, w


def _similar(draws: Draws, size: int) -> Items:
    return draws.integers(1, R, size), draws.integers(100 * R, 100 * R + R // 10, size)


def _spanner(base: Callable[[Draws, int], Items], members: int = 2, most: int = 10) -> Callable[[Draws, int], Items]:
    """Multiples of a few items."""

    def items(draws: Draws, size: int) -> Items:
        values, weights = (-(-2 * numbers // most) for numbers in base(draws, members))
        which, times = draws.integers(0, members - 1, size), draws.integers(1, most, size)
        return times * values[which], times * weights[which]

    return items


def _multiple(draws: Draws, size: int) -> Items:
    w = _weights(draws, size)
    return np.where(w % 6 == 0, w + 3 * R // 10, w + 2 * R // 10), w


def _ceiling(draws: Draws, size: int) -> Items:
    """Pisinger rounds up to a multiple of 3; kplib's files round down."""
    w = _weights(draws, size)
    return 3 * -(-w // 3), w


def _circle(draws: Draws, size: int) -> Items:
    """2/3 of the height of a circle over the weight, as Pisinger has it (kplib's files hold a line instead)."""
    w = _weights(draws, size)
    return np.array([isqrt(4 * (4 * R * R - (x - 2 * R) ** 2) // 9) for x in w.tolist()], np.int64), w


CLASSES: dict[str, Callable[[Draws, int], Items]] = {
    "uncorrelated": _uncorrelated,
    "weakly_correlated": _weakly,
    "strongly_correlated": _strongly,
    "inverse_strongly_correlated": _inverse,
    "almost_strongly_correlated": _almost,
    "subset_sum": _subset_sum,
    "similar_weights": _similar,
    "spanner_uncorrelated": _spanner(_uncorrelated),
    "spanner_weakly_correlated": _spanner(_weakly),
    "spanner_strongly_correlated": _spanner(_strongly),
    "multiple_strongly_correlated": _multiple,
    "profit_ceiling": _ceiling,
    "circle": _circle,
}
