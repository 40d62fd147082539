"""Local search on bins: a few of them are emptied and packed again, so that full bins become fuller and the slack gathers in one.

Kept is what does not lower the sum of squared loads (Falkenauer's measure); the bin that loses everything is the one saved.
"""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.fill import slack_packing
from datamodules.accord.references.binpack.fit import bfd, descending

__all__ = ["fullest", "local", "search", "slack"]

ROUNDS = 40  # per item, where no clock stops the search
STALE = 300  # rounds per item without gain, after which the search begins anew from another packing


def slack(attempt: Attempt) -> None:
    """Best fit, or minimum bin slack where that needs fewer bins."""
    bfd(attempt)
    attempt.relax()
    if not attempt.ended():
        fullest(attempt)


def fullest(attempt: Attempt) -> None:
    """Minimum bin slack: one bin after the other as full as can be."""
    bins = slack_packing(attempt.instance.weights.tolist(), descending(attempt.instance), attempt.instance.capacity)
    attempt.offer(tuple(tuple(one) for one in bins))


def local(attempt: Attempt) -> None:
    if attempt.plan is None:
        slack(attempt)
    search(attempt, None if attempt.deadline is not None else ROUNDS * attempt.instance.size)


def search(attempt: Attempt, rounds: int | None) -> None:
    """From the attempt's plan; 0 rounds only looks whether the bound is met."""
    attempt.relax()
    instance, random = attempt.instance, attempt.rng
    if attempt.ended() or rounds == 0:
        return
    assert attempt.plan is not None
    weights, capacity = instance.weights.tolist(), instance.capacity
    bins = [list(one) for one in attempt.plan]
    loads = [sum(weights[item] for item in one) for one in bins]
    stale, done = 0, 0
    while (rounds is None or done < rounds) and not attempt.ended():
        draws = random.random((64, 8)).tolist()
        for draw in draws:
            done += 1
            stale += 1
            emptied = _choose(draw, loads, capacity)
            items = [item for at in emptied for item in bins[at]]
            random.shuffle(items)
            packed = slack_packing(weights, items, capacity)
            before = sum(loads[at] ** 2 for at in emptied)
            fresh = [sum(weights[item] for item in one) for one in packed]
            after = sum(load**2 for load in fresh)
            if len(packed) > len(emptied) or (len(packed) == len(emptied) and after < before):
                continue
            if after > before:
                stale = 0
            for at in sorted(emptied, reverse=True):
                del bins[at], loads[at]
            bins.extend(packed)
            loads.extend(fresh)
            if attempt.better(len(bins)):
                attempt.offer(tuple(tuple(one) for one in bins))
            if attempt.ended():
                return
        if stale > STALE * instance.size:
            order = random.permutation(instance.size).tolist()
            again = slack_packing(weights, order, capacity)
            bins, stale = again, 0
            loads = [sum(weights[item] for item in one) for one in bins]


def _choose(draw: list[float], loads: list[int], capacity: int) -> list[int]:
    """Two to five bins; the emptiest is often among them, full ones are as good as others."""
    count = min(len(loads), 2 + int(draw[0] * 4))
    chosen: set[int] = set()
    if draw[1] < 0.5:
        chosen.add(min(range(len(loads)), key=loads.__getitem__))
    for value in draw[2 : 2 + count]:
        chosen.add(int(value * len(loads)))
    return list(chosen)
