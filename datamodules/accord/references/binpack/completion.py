"""Every packing that matters, item by item, largest first (Martello and Toth's search): each into one bin of each room, or a new one."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.fit import descending

__all__ = ["completion"]


def completion(attempt: Attempt, most: int) -> None:
    """From the attempt's plan; proven, or as it is after so many nodes."""
    instance = attempt.instance
    order = descending(instance)
    weights = [int(instance.weights[item]) for item in order]
    rest = [0] * (len(order) + 1)
    for i in range(len(order) - 1, -1, -1):
        rest[i] = rest[i + 1] + weights[i]
    rooms: list[int] = []
    bins: list[list[int]] = []
    nodes = 0
    failed: set[tuple[int, tuple[int, ...]]] = set()  # what is left to place, and the rooms: no better from there

    def place(i: int) -> bool:
        """False: the search was cut."""
        nonlocal nodes
        nodes += 1
        if nodes > most or (nodes % 256 == 0 and attempt.over()):
            return False
        if i == len(order):
            attempt.offer(tuple(tuple(one) for one in bins))
            return True
        usable = sum(room for room in rooms if room >= weights[-1])
        lacking = max(0, rest[i] - usable)
        if not attempt.better(len(bins) + -(-lacking // instance.capacity if instance.capacity else 0)):
            return True
        key = (i, tuple(sorted(rooms)))
        if key in failed:
            return True
        weight = weights[i]
        tried: set[int] = set()
        exact = weight in rooms
        for b in sorted(range(len(rooms)), key=rooms.__getitem__):
            room = rooms[b]
            if room < weight or room in tried or (exact and room != weight):  # an exact fit is as good as any
                continue
            tried.add(room)
            rooms[b] -= weight
            bins[b].append(order[i])
            ended = not place(i + 1)
            rooms[b] += weight
            bins[b].pop()
            if ended or attempt.proven:
                return not ended
        if not exact and attempt.better(len(bins) + 1):
            rooms.append(instance.capacity - weight)
            bins.append([order[i]])
            ended = not place(i + 1)
            rooms.pop()
            bins.pop()
            if ended:
                return False
        failed.add(key)
        return True

    if len(order) <= 400 and place(0):  # one call deep for each item
        attempt.prove()
