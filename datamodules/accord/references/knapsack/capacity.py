"""Dynamic programming over the capacity, a row of NumPy per item: proven where n x C bits fit into memory."""

import numpy as np

from datamodules.accord.errors import UnsupportedError
from datamodules.accord.instances import Knapsack
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.density import by_density, density

__all__ = ["BITS", "cells", "dp"]

BITS = 1 << 30  # 128 MiB of decisions, and as much again at most for the row of values


def cells(instance: Knapsack) -> int:
    items = by_density(instance)
    return len(items) * (_reduced(instance, items)[1] + 1)


def dp(attempt: Attempt) -> None:
    instance = attempt.instance
    density(attempt)
    items = by_density(instance)
    weights, capacity = _reduced(instance, items)
    if len(items) * (capacity + 1) > BITS or capacity > BITS >> 6:
        raise UnsupportedError(f"dp: {len(items)} items x a capacity of {capacity} do not fit into memory: use exact or core")
    best = np.zeros(capacity + 1, np.int64)
    decisions = np.zeros((len(items), (capacity + 8) // 8), np.uint8)
    for row, (item, weight) in enumerate(zip(items.tolist(), weights.tolist(), strict=True)):
        with_it = best[: capacity + 1 - weight] + instance.values[item]
        better = with_it > best[weight:]
        decisions[row] = np.packbits(np.concatenate([np.zeros(weight, bool), better]), bitorder="little")
        np.maximum(best[weight:], with_it, out=best[weight:])
        if attempt.over():
            return
    room, taken = capacity, []
    for row in range(len(items) - 1, -1, -1):
        if decisions[row, room >> 3] >> (room & 7) & 1:
            taken.append(int(items[row]))
            room -= int(weights[row])
    attempt.offer(tuple(sorted(taken)), int(best[capacity]))
    attempt.prove()


def _reduced(instance: Knapsack, items: np.ndarray) -> tuple[np.ndarray, int]:
    """Weights and capacity over the weights' common divisor; no more capacity than all items need."""
    weights = instance.weights[items]
    divisor = int(np.gcd.reduce(weights)) if len(items) else 1
    divisor = max(divisor, 1)
    return weights // divisor, min(instance.capacity, int(weights.sum())) // divisor
