"""The subset of items that fills a room best, by subset sums held as the bits of one integer: minimum bin slack (Gupta and Ho)."""

from collections.abc import Sequence

__all__ = ["fill", "slack_packing"]


def fill(weights: Sequence[int], items: Sequence[int], room: int) -> list[int]:
    """Items of the greatest sum not above `room`. Of equally good subsets, one that uses the earlier items."""
    window = (1 << (room + 1)) - 1
    reached = 1  # bit s: some subset of the items so far sums to s
    history = [reached]
    used: list[int] = []
    for item in reversed(items):  # the way back then meets the earlier items first
        weight = weights[item]
        if weight > room:
            continue
        grown = reached | (reached << weight & window)
        history.append(grown)
        used.append(item)
        reached = grown
        if reached >> room & 1:
            break
    total = reached.bit_length() - 1
    chosen = []
    for step in range(len(used) - 1, -1, -1):
        if total == 0:
            break
        weight = weights[used[step]]
        if total >= weight and history[step] >> (total - weight) & 1:
            chosen.append(used[step])
            total -= weight
    return chosen


def slack_packing(weights: Sequence[int], items: Sequence[int], capacity: int) -> list[list[int]]:
    """MBS' of Fleszar and Hindi: each bin begins with the largest item left and is filled up as well as can be.

    `items` in the order in which they are liked; those without weight join the first bin.
    """
    left = [item for item in items if weights[item] > 0]
    bins: list[list[int]] = []
    while left:
        seed = max(left, key=weights.__getitem__)
        left.remove(seed)
        rest = fill(weights, left, capacity - weights[seed])
        gone = set(rest)
        left = [item for item in left if item not in gone]
        bins.append([seed, *rest])
    empty = [item for item in items if weights[item] == 0]
    if empty:
        bins = bins or [[]]
        bins[0].extend(empty)
    return bins
