"""Spanning trees of dense matrices, in numpy: the part that the bounds of tours and routes share."""

import numpy as np

__all__ = ["room_to_scale", "spanning_tree"]


def spanning_tree(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prim's: (the parent of each node but node 0, the length of that edge), both (N-1,), in nodes 1..N-1."""
    count = len(distances)
    parent = np.zeros(count, np.int64)
    length = distances[0].copy()
    away = np.iinfo(np.int64).max
    key = length.copy()  # as length, but `away` once the node is in the tree
    key[0] = away
    for _ in range(count - 1):
        node = int(key.argmin())
        key[node] = away
        row = distances[node]
        nearer = (row < key) & (key != away)
        key[nearer] = row[nearer]
        length[nearer] = row[nearer]
        parent[nearer] = node
    return parent[1:], length[1:]


def room_to_scale(distances: np.ndarray, most: int = 1024) -> int:
    """By how much the distances may be multiplied, so that multipliers have fractions and no sum leaves int64; 0: not even by 1."""
    largest = int(distances.max(initial=0)) * max(1, len(distances))
    return min(most, (1 << 58) // max(1, 8 * largest))
