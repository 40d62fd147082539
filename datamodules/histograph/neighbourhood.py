"""A node with a drawn part of its surroundings, as a graph of its own: what a graph of millions of nodes is learned from.

No compiled extras: numpy on who sends to whom, sorted by receiver.
"""

from collections.abc import Sequence

import numpy as np

from datamodules.errors import DataError

__all__ = ["Neighbours", "check_fanout"]


def check_fanout(fanout: Sequence[int]) -> None:
    if not fanout or min(fanout) < 1:
        raise DataError(f"fanout is how many neighbours to draw at each step away from a node, such as [10, 10], not {list(fanout)}")


class Neighbours:
    """edge_index: (2,E), both directions of every edge."""

    def __init__(self, edge_index: np.ndarray, nodes: int) -> None:
        self.senders = edge_index[0][np.argsort(edge_index[1], kind="stable")].astype(np.int32 if nodes < 2**31 else np.int64)
        self.begins = np.concatenate([[0], np.cumsum(np.bincount(edge_index[1], minlength=nodes))])

    def around(self, root: int, fanout: Sequence[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(nodes, the root first; the drawn edges between them in both directions, (2,e), by place in `nodes`).

        At each step every newly found node is asked for its neighbours. ours: those of a node with more than asked for are drawn with
        replacement, and repeats count once, so that a hub costs no more than any other node.
        """
        seen = front = np.array([root])
        pairs = [np.zeros((2, 0), np.int64)]
        for most in fanout:
            begins, degree = self.begins[front], self.begins[front + 1] - self.begins[front]
            counts = np.minimum(degree, most)
            of = np.repeat(np.arange(len(front)), counts)
            place = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
            drawn = (rng.random(len(of)) * degree[of]).astype(np.int64)
            others = self.senders[begins[of] + np.where(degree[of] <= most, place, drawn)].astype(np.int64)
            pairs.append(np.stack([others, front[of]]))
            front = np.setdiff1d(others, seen)
            seen = np.concatenate([seen, front])
        by_number = np.argsort(seen)
        ends = by_number[np.searchsorted(seen, np.concatenate(pairs, 1), sorter=by_number)]
        both = np.concatenate([ends, ends[::-1]], 1)
        codes = np.unique(both[0] * len(seen) + both[1])
        return seen, np.stack([codes // len(seen), codes % len(seen)])
