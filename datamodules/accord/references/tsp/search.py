"""Local search on a round: down to a local optimum, then kicks (two segments change places), kept where they do not lengthen it."""

import numpy as np

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.tsp.construct import greedy_order, nearest, symmetric
from datamodules.accord.references.tsp.directed import descend
from datamodules.accord.references.tsp.two_opt import Round

__all__ = ["local", "search", "two_opt"]

KICKS = 20  # per node, where no clock stops the search
REACH = 50  # nodes in a segment of a kick: a near change is repaired in a few moves


def two_opt(attempt: Attempt) -> None:
    """The nearest neighbour's best round, down to its local optimum by 2-opt and Or-opt."""
    nearest(attempt)
    search(attempt, 0)


def local(attempt: Attempt) -> None:
    if attempt.plan is None:
        attempt.offer(tuple(greedy_order(attempt.instance.distances)))
    search(attempt, None if attempt.deadline is not None else KICKS * attempt.instance.size)


def search(attempt: Attempt, kicks: int | None) -> None:
    """From the attempt's plan; 0 kicks is the descent only, None goes on until the clock says."""
    distances, size = attempt.instance.distances, attempt.instance.size
    if size <= 3 and attempt.plan is not None:
        attempt.offer(attempt.plan[::-1])  # there is no third round
        attempt.prove()
    if kicks is None and size > 3:
        attempt.relax()
    if attempt.ended():
        return
    if symmetric(distances):
        _both_ways(attempt, kicks)
    else:
        _one_way(attempt, kicks)


def _both_ways(attempt: Attempt, kicks: int | None) -> None:
    size, random = attempt.instance.size, attempt.rng
    assert attempt.plan is not None
    assert attempt.objective is not None
    way = Round(attempt.instance.distances, list(attempt.plan))
    value = attempt.objective - way.descend(random.permutation(size).tolist())
    attempt.offer(tuple(way.order), value)
    reach = max(1, min(REACH, size // 3))
    done = 0
    while size >= 5 and (kicks is None or done < kicks) and not attempt.ended():
        draws = random.random((256, 3)).tolist()
        for where, one, two in draws[: None if kicks is None else kicks - done]:
            kept = way.order[:], way.place[:]
            first, length, more = int(where * (size - 2 * reach)), 1 + int(one * reach), 1 + int(two * reach)
            lost, joints = way.swap_segments(first, first + length, first + length + more)
            lost -= way.descend(joints)
            if lost > 0:
                way.order, way.place = kept
            elif lost < 0:
                value += lost
                attempt.offer(tuple(way.order), value)
            done += 1
            if attempt.over():
                return
        turn = int(random.integers(size))  # a kick never spans the end of the list: turn it now and then
        way.order[:] = way.order[turn:] + way.order[:turn]
        for i, node in enumerate(way.order):
            way.place[node] = i


def _one_way(attempt: Attempt, kicks: int | None) -> None:
    distances, size = attempt.instance.distances, attempt.instance.size
    order = descend(distances, np.array(attempt.plan), attempt.over)
    attempt.offer(tuple(order.tolist()))
    value = attempt.objective or 0
    done = 0
    while size >= 4 and (kicks is None or done < kicks) and not attempt.ended():
        order = np.roll(order, -int(attempt.rng.integers(size)))
        one, two, three = np.sort(attempt.rng.choice(np.arange(1, size + 1), 3, replace=False))
        one = max(int(one), int(three) - 2 * REACH)
        kicked = np.concatenate([order[:one], order[max(two, one) : three], order[one : max(two, one)], order[three:]])
        kicked = descend(distances, kicked, attempt.over)
        length = int(distances[kicked, np.roll(kicked, -1)].sum())
        if length <= value:
            order, value = kicked, length
            attempt.offer(tuple(order.tolist()), value)
        done += 1
