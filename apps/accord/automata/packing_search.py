"""Sizes into a given number of bins, exactly: bin by bin, each begun with the largest size that is left, under a budget of nodes.

What the bins may waste altogether is known beforehand, so a bin that is closed with more is given up at once: tight fleets, on which first
fit fails, are the ones where this prunes most. Sequential by nature, without tensors, and scriptable.
"""

__all__ = ["packed"]


def packed(sizes: list[int], capacity: int, bins: int, budget: int) -> list[int]:
    """The bin of each of these descending sizes; empty where none was found (or none exists)."""
    count = len(sizes)
    bins = min(bins, count)
    spare = bins * capacity - sum(sizes)
    where = [-1] * count
    picked: list[int] = []  # indices, in the order of choice
    opened: list[int] = []  # of each bin the place in `picked` of its first item
    closing: list[int] = []  # the room that each closed bin wasted
    wasted, room, at, nodes = 0, 0, count, 0
    while nodes < budget:
        while at < count and (where[at] >= 0 or sizes[at] > room):
            at += 1
        if at == count:
            first = 0
            while first < count and where[first] >= 0:
                first += 1
            if first == count:
                return where
            if wasted + room <= spare and len(opened) < bins:
                closing.append(room)
                wasted += room
                opened.append(len(picked))
                at, room = first, capacity
            else:
                at = -1
        if at >= 0:
            nodes += 1
            where[at] = len(opened) - 1
            room -= sizes[at]
            picked.append(at)
            at += 1
            continue
        # Back to the last choice that was one: the first item of a bin is none.
        while len(picked) > 0 and at < 0:
            last = picked.pop()
            where[last] = -1
            if opened[-1] == len(picked):
                opened.pop()
                room = closing.pop()
                wasted -= room
            else:
                room += sizes[last]
                at = last + 1
                while at < count and sizes[at] == sizes[last]:
                    at += 1
        if at < 0:
            return []
    return []
