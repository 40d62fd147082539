"""Rounds from nothing: the nearest neighbour from each start, and the greedy edge."""

import numpy as np

from datamodules.accord.references.attempt import Attempt

__all__ = ["greedy_edge", "greedy_order", "nearest", "nearest_order", "symmetric"]

ALL_STARTS = 300  # larger instances take 64 starts
CELLS = 1 << 22  # of starts x nodes at a time


def symmetric(distances: np.ndarray) -> bool:
    return bool((distances == distances.T).all())


def nearest(attempt: Attempt) -> None:
    """From each node; above 300 nodes from 64 of them."""
    size = attempt.instance.size
    starts = np.arange(size) if size <= ALL_STARTS else np.sort(attempt.rng.permutation(size)[:64])
    at_once = max(1, CELLS // size**2)
    for first in range(0, len(starts), at_once):
        attempt.offer(tuple(nearest_order(attempt.instance.distances, starts[first : first + at_once]).tolist()))
        if attempt.over():
            break


def nearest_order(distances: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The best of the rounds that always go to the nearest node left, one from each start."""
    size = len(distances)
    rows = np.arange(len(starts))
    left = np.ones((len(starts), size), bool)
    orders = np.empty((len(starts), size), np.int64)
    at = np.asarray(starts)
    for step in range(size):
        orders[:, step] = at
        left[rows, at] = False
        if step < size - 1:
            at = np.where(left, distances[at], np.iinfo(np.int64).max).argmin(1)
    lengths = distances[orders, np.roll(orders, -1, 1)].sum(1)
    return orders[lengths.argmin()]


def greedy_edge(attempt: Attempt) -> None:
    """The shortest edge that still fits, again and again."""
    attempt.offer(tuple(greedy_order(attempt.instance.distances)))


def greedy_order(distances: np.ndarray) -> list[int]:
    size = len(distances)
    if size < 3:
        return list(range(size))
    both = symmetric(distances)
    tails, heads = np.triu_indices(size, 1) if both else np.nonzero(~np.eye(size, dtype=bool))
    ranks = np.argsort(distances[tails, heads], kind="stable")
    piece = list(range(size))  # union-find over the pieces of path
    links: list[list[int]] = [[] for _ in range(size)]
    leaves, enters = [False] * size, [False] * size
    count = 0
    for a, b in zip(tails[ranks].tolist(), heads[ranks].tolist(), strict=True):
        if (len(links[a]) == 2 or len(links[b]) == 2) if both else (leaves[a] or enters[b]):
            continue
        root_a, root_b = _root(piece, a), _root(piece, b)
        if root_a == root_b:
            continue
        piece[root_a] = root_b
        links[a].append(b)
        if both:
            links[b].append(a)
        leaves[a] = enters[b] = True
        count += 1
        if count == size - 1:
            break
    order = [next(i for i in range(size) if (len(links[i]) == 1 if both else not enters[i]))]
    while len(order) < size:
        order.append(next(node for node in links[order[-1]] if len(order) < 2 or node != order[-2]))
    return order


def _root(piece: list[int], node: int) -> int:
    while piece[node] != node:
        piece[node] = piece[piece[node]]
        node = piece[node]
    return node
