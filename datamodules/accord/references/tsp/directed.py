"""2-opt and Or-opt where going and coming differ: every move of a round is priced at once from the matrix, in NumPy."""

from collections.abc import Callable

import numpy as np

__all__ = ["descend"]

LONGEST = 3


def descend(distances: np.ndarray, order: np.ndarray, over: Callable[[], bool]) -> np.ndarray:
    """The best move, until none is left or `over`."""
    while len(order) > 3 and not over():
        turned, turn = _best_reversal(distances, order)
        moved, move = _best_insertion(distances, order)
        if min(turned, moved) >= 0:
            break
        order = _reverse(order, *turn) if turned <= moved else _insert(order, *move)
    return order


def _best_reversal(distances: np.ndarray, order: np.ndarray) -> tuple[int, tuple[int, int]]:
    """Places i..j reversed; the inner edges are then driven the other way, which prefix sums price."""
    steps = distances[order[:-1], order[1:]]
    back = distances[order[1:], order[:-1]]
    turn = np.concatenate([[0], (back - steps).cumsum()])  # of the inner edges, up to each place
    before, after = np.roll(order, 1), np.roll(order, -1)
    leave = distances[before, order][:, None] + distances[order, after][None, :]
    enter = distances[np.ix_(before, order)] + distances[np.ix_(order, after)]  # (before i, j), (i, after j)
    price = enter - leave + turn[None, :] - turn[:, None]
    size = len(order)
    allowed = np.triu(np.ones((size, size), bool), 1)
    allowed[0, -1] = False  # the whole round: its closing edge is not beside it
    price = np.where(allowed, price, 0)
    best = int(price.argmin())
    return int(price.flat[best]), divmod(best, size)


def _best_insertion(distances: np.ndarray, order: np.ndarray) -> tuple[int, tuple[int, int, int]]:
    """A segment of up to three nodes from place i goes behind place k, as it is."""
    size = len(order)
    after = np.roll(order, -1)
    best, move = 0, (0, 0, 0)
    places = np.arange(size)
    for length in range(1, min(LONGEST, size - 2) + 1):
        last, beyond, before = np.roll(order, 1 - length), np.roll(order, -length), np.roll(order, 1)
        freed = distances[before, order] + distances[last, beyond] - distances[before, beyond]
        price = distances[np.ix_(order, order)].T + distances[np.ix_(last, after)] - distances[order, after][None, :] - freed[:, None]
        inside = (places[None, :] - places[:, None] + 1) % size <= length  # behind the place before i: where it stands already
        price = np.where(inside, 0, price)
        least = int(price.argmin())
        if price.flat[least] < best:
            best, move = int(price.flat[least]), (*divmod(least, size), length)
    return best, move


def _reverse(order: np.ndarray, i: int, j: int) -> np.ndarray:
    return np.concatenate([order[:i], order[i : j + 1][::-1], order[j + 1 :]])


def _insert(order: np.ndarray, i: int, k: int, length: int) -> np.ndarray:
    turned = np.roll(order, -i)
    k = (k - i) % len(order)
    return np.concatenate([turned[length : k + 1], turned[:length], turned[k + 1 :]])
