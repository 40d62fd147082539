"""Lists of states (weight, value), none dominated by another: lighter and at least as valuable. Sorted by weight, so values rise, too."""

from typing import NamedTuple

import numpy as np

__all__ = ["States", "Step", "join", "select", "start", "taken"]


class States(NamedTuple):
    weight: np.ndarray
    value: np.ndarray
    step: "Step | None"  # how they came about


class Step(NamedTuple):
    """What made these states: from which of the earlier states each one comes, and whether the item was turned over."""

    item: int
    parent: np.ndarray
    turned: np.ndarray
    before: "Step | None"


def start(weight: int, value: int) -> States:
    return States(np.array([weight]), np.array([value]), None)


def join(states: States, item: int, weight: int, value: int) -> States:
    """Each state as it is, and with `item` turned over (weight and value are added; negative where it is taken out)."""
    count = len(states.weight)
    weights = np.concatenate([states.weight, states.weight + weight])
    values = np.concatenate([states.value, states.value + value])
    order = np.argsort(weights, kind="stable")  # two sorted runs: a merge
    rising = values[order]
    keep = np.concatenate([[True], rising[1:] > np.maximum.accumulate(rising)[:-1]])
    order = order[keep]
    turned = order >= count
    return States(weights[order], values[order], Step(item, np.where(turned, order - count, order).astype(np.int32), turned, states.step))


def select(states: States, keep: np.ndarray) -> States:
    step = states.step
    if step is not None:
        step = step._replace(parent=step.parent[keep], turned=step.turned[keep])
    return States(states.weight[keep], states.value[keep], step)


def taken(states: States, index: int) -> set[int]:
    """The items turned over on the way to a state."""
    out, step = set(), states.step
    while step is not None:
        if step.turned[index]:
            out.add(step.item)
        index = int(step.parent[index])
        step = step.before
    return out
