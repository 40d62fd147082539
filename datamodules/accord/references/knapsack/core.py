"""Pisinger's minknap in NumPy: states grow outwards from the break item, and go where Dantzig's bound cannot beat the best plan.

The plan that takes every item before the break item is the centre; items behind it are added, items before it taken out. Few instances
need more than a small core of items.
"""

import numpy as np

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.density import by_density, density
from datamodules.accord.references.knapsack.states import States, join, select, start, taken

__all__ = ["core"]

MOST = 1 << 26  # states of all lists together
SAFE = 1 + 1e-12  # bounds are in float64: nothing is cut that rounding could have saved


def core(attempt: Attempt) -> None:
    """Proven, or the best plan where the clock or the memory ends it."""
    instance = attempt.instance
    density(attempt)
    if attempt.ended():
        return
    items = by_density(instance)
    weights, values, capacity = instance.weights[items], instance.values[items], instance.capacity
    used = weights.cumsum()
    middle = int(np.searchsorted(used, capacity, side="right"))  # the break item
    if middle == len(items):  # all fit
        attempt.offer(tuple(sorted(items.tolist())))
        attempt.prove()
        return
    base = set(range(middle))
    states = start(int(used[middle - 1]) if middle else 0, int(values[:middle].sum()))
    slope = values[middle] / weights[middle]
    slack = states.value[0] + (capacity - states.weight[0]) * slope  # Dantzig's bound
    # Dembo and Hammer: what the bound becomes when one item is turned over
    loss = np.abs(values - weights * slope)
    left, right, kept = middle - 1, middle, 0
    while len(states.weight) and (left >= 0 or right < len(items)):
        for side in (1, -1):
            at = right if side == 1 else left
            if not 0 <= at < len(items):
                continue
            if (slack - loss[at]) * SAFE >= (attempt.objective or 0) + 1:
                states = join(states, at, side * int(weights[at]), side * int(values[at]))
                _offer(attempt, states, base, items)
            right, left = (right + 1, left) if side == 1 else (right, left - 1)
            states = _prune(attempt, states, weights, values, left, right)
            kept += len(states.weight)
            if attempt.over() or kept > MOST:
                return
            if not len(states.weight):
                break
    attempt.prove()


def _offer(attempt: Attempt, states: States, base: set[int], items: np.ndarray) -> None:
    fits = int(np.searchsorted(states.weight, attempt.instance.capacity, side="right"))
    if fits and attempt.better(int(states.value[fits - 1])):
        chosen = base ^ taken(states, fits - 1)
        attempt.offer(tuple(sorted(int(items[i]) for i in chosen)), int(states.value[fits - 1]))


def _prune(attempt: Attempt, states: States, weights: np.ndarray, values: np.ndarray, left: int, right: int) -> States:
    """Fill what is free with the next item behind, lighten what is over by the next item before: only states that could still win stay."""
    room = attempt.instance.capacity - states.weight
    ahead = values[right] / weights[right] if right < len(weights) else 0.0
    behind = values[left] / weights[left] if left >= 0 and weights[left] > 0 else np.inf
    with np.errstate(invalid="ignore"):
        bound = states.value + np.where(room >= 0, room * ahead, room * behind)
    return select(states, bound * SAFE >= (attempt.objective or 0) + 1)
