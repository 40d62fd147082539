"""Knapsacks and bins: of what holds too much the fewest items go, and they go where there is room."""

from typing import Any

import numpy as np

from apps.accord.repair.lists import Change, items_of, once
from datamodules.accord.instances import BinPacking, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["fewest_out", "mend_bins", "mend_knapsack"]


def mend_knapsack(instance: Knapsack, plan: Any) -> tuple[Plan, list[Change]]:
    """Room that is left is not filled: that would be more than a repair."""
    changes: list[Change] = []
    taken = once(items_of(plan), range(instance.size), "item", set(), changes, instance.label)
    excess = int(instance.weights[taken].sum()) - instance.capacity if taken else 0
    for item in fewest_out(taken, instance.weights, instance.values, excess):
        taken.remove(item)
        changes.append(Change("removed", (item,), f"item {instance.label(item)} (weight {instance.weights[item]}) did not fit: left out"))
    return tuple(sorted(taken)), changes


def mend_bins(instance: BinPacking, plan: Any) -> tuple[Plan, list[Change]]:
    changes: list[Change] = []
    seen: set[int] = set()
    weights = instance.weights
    bins = [once(items_of(part), range(instance.size), "item", seen, changes, instance.label) for part in items_of(plan)]
    moved: dict[int, str] = {item: "was missing" for item in range(instance.size) if item not in seen}
    for which, items in enumerate(bins):
        excess = int(weights[items].sum()) - instance.capacity if items else 0
        for item in fewest_out(items, weights, weights, excess):
            items.remove(item)
            moved[item] = f"did not fit into bin {which}"
    bins = [items for items in bins if items]
    for item in sorted(moved, key=lambda item: -int(weights[item])):  # best fit, the largest first
        room = [instance.capacity - int(weights[items].sum()) for items in bins]
        fits = [which for which in range(len(bins)) if room[which] >= weights[item]]
        which = min(fits, key=lambda which: room[which]) if fits else len(bins)
        if not fits:
            bins.append([])
        bins[which].append(item)
        what = "added" if moved[item] == "was missing" else "moved"
        changes.append(
            Change(what, (item, which), f"item {instance.label(item)} {moved[item]}: put into {'bin' if fits else 'a new bin'} {which}")
        )
    return tuple(tuple(items) for items in bins), changes


def fewest_out(items: list[int], weights: np.ndarray, values: np.ndarray, excess: int) -> list[int]:
    """The fewest items whose weights reach the excess; among so few the set of least value that exchanges of one item find."""
    if excess <= 0:
        return []
    heavy = sorted(items, key=lambda item: (-int(weights[item]), int(values[item])))
    count, total = 0, 0
    while total < excess:  # the heaviest reach it with the fewest
        total += int(weights[heavy[count]])
        count += 1
    out = heavy[:count]
    while True:
        slack = sum(int(weights[item]) for item in out) - excess
        swaps = [
            (int(values[inside]) - int(values[item]), item, inside)
            for item in out
            for inside in items
            if inside not in out and int(weights[item]) - int(weights[inside]) <= slack and values[inside] < values[item]
        ]
        if not swaps:
            return out
        _, item, inside = min(swaps)
        out[out.index(item)] = inside
