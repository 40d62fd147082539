"""The greedy rule: items by value per weight while they fit; or the best single item, which makes it at least half the optimum."""

import numpy as np

from datamodules.accord.instances import Knapsack
from datamodules.accord.references.attempt import Attempt

__all__ = ["by_density", "density"]


def density(attempt: Attempt) -> None:
    instance = attempt.instance
    room, taken = instance.capacity, []
    for item in by_density(instance).tolist():
        if instance.weights[item] <= room:
            room -= int(instance.weights[item])
            taken.append(item)
    attempt.offer(tuple(sorted(taken)))
    fitting = np.flatnonzero(instance.weights <= instance.capacity)
    if fitting.size:
        attempt.offer((int(fitting[instance.values[fitting].argmax()]),))
    attempt.relax()


def by_density(instance: Knapsack) -> np.ndarray:
    """The items worth a thought (of value, and not above the capacity), densest first; those without weight come before all others."""
    worth = np.flatnonzero((instance.values > 0) & (instance.weights <= instance.capacity))
    with np.errstate(divide="ignore"):
        ratio = instance.values[worth] / instance.weights[worth]
    return worth[np.lexsort((-instance.values[worth], -ratio))]
