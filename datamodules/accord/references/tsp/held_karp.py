"""Held and Karp's dynamic programme over subsets: the proven optimum of small instances, symmetric or not."""

import numpy as np

from datamodules.accord.errors import UnsupportedError
from datamodules.accord.references.attempt import Attempt

__all__ = ["MOST", "held_karp", "shortest_paths"]

MOST = 13  # nodes: 12 x 2^12 states; a node more is twice the time and memory
FAR = np.iinfo(np.int64).max // 4


def held_karp(attempt: Attempt) -> None:
    distances = attempt.instance.distances
    size = len(distances)
    if size > MOST:
        raise UnsupportedError(f"held_karp: {size} nodes; it holds {MOST} at most: use exact, cpsat or local")
    if size == 1:
        attempt.offer((0,))
        return attempt.prove()
    least = shortest_paths(distances)
    full = len(least) - 1
    order = [int((least[full] + distances[1:, 0]).argmin())]
    mask = full
    while mask ^ (1 << order[-1]):
        mask ^= 1 << order[-1]
        order.append(int((least[mask] + distances[1:, order[-1] + 1]).argmin()))
    attempt.offer((0, *(node + 1 for node in reversed(order))))
    return attempt.prove()


def shortest_paths(distances: np.ndarray) -> np.ndarray:
    """(2^m, m), m = nodes but 0: the shortest path from node 0 through the nodes of the set to the last of them; bit j is node j + 1."""
    m = len(distances) - 1
    masks = np.arange(1 << m)
    sizes = np.zeros(1 << m, np.int64)
    for j in range(m):
        sizes += masks >> j & 1
    least = np.full((1 << m, m), FAR, np.int64)
    least[1 << np.arange(m), np.arange(m)] = distances[0, 1:]
    for size in range(2, m + 1):
        layer = masks[sizes == size]
        for j in range(m):
            ends = layer[layer >> j & 1 == 1]
            least[ends, j] = (least[ends ^ (1 << j)] + distances[1:, j + 1]).min(1)
    return least
