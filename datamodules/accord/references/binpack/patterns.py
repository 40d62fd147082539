"""Gilmore and Gomory's patterns: the relaxation over all ways to fill a bin, by column generation, and a packing from the patterns met.

The bound is in integers: with any prices u_i >= 0 of the sizes and V the dearest pattern, sum of u_i n_i / V bins are needed (Farley).
It is nearly always the optimum.
"""

from typing import Any

import numpy as np
from scipy.optimize import Bounds, linprog, milp
from scipy.sparse import csc_array

from datamodules.accord.references.attempt import Attempt

__all__ = ["patterns"]

UNIT = 1 << 30  # a price of 1
DEAR = UNIT + UNIT // 10**7  # a pattern above it makes the relaxation cheaper
CELLS = 1 << 28  # of the pricing table: copies of sizes x capacity
AT_ONCE = 8  # patterns that join in a round, each the dearest of what those before it leave: a third of the rounds, or less


def patterns(attempt: Attempt) -> None:
    """From the attempt's plan."""
    instance = attempt.instance
    sizes, counts = np.unique(instance.weights[instance.weights > 0], return_counts=True)
    if not len(sizes) or attempt.plan is None or attempt.ended():
        return
    if len(_copies(sizes, counts, instance.capacity)[0]) * instance.capacity > CELLS:
        return
    known = {tuple(_counts(instance.weights[list(one)], sizes)) for one in attempt.plan} - {(0,) * len(sizes)}
    known |= {tuple(int(i == j) for j in range(len(sizes))) for i in range(len(sizes))}
    columns = [np.array(column) for column in sorted(known)]
    while not attempt.ended():
        prices = _prices(columns, counts)
        if prices is None:
            return
        priced = _dearest(prices, sizes, counts, instance.capacity, attempt)
        if priced is None:
            return
        value, column = priced
        attempt.learn(-(-int((prices * counts).sum()) // max(1, value)))
        if value <= DEAR or tuple(column) in known:
            break
        left = counts
        for _ in range(AT_ONCE):
            if tuple(column) not in known:
                known.add(tuple(column))
                columns.append(column)
            left = left - column * int((left[column > 0] // column[column > 0]).min())
            if not left.any() or (priced := _dearest(prices, sizes, left, instance.capacity, attempt)) is None or priced[0] <= DEAR:
                break
            value, column = priced
    if not attempt.ended():
        _pack(attempt, columns, sizes, counts)


def _counts(weights: np.ndarray, sizes: np.ndarray) -> list[int]:
    return [int((weights == size).sum()) for size in sizes]


def _copies(sizes: np.ndarray, counts: np.ndarray, capacity: int) -> tuple[list[int], list[int]]:
    """(size's index, copies taken together): powers of two, so that any number up to what fits can be made."""
    index, times = [], []
    for i, (size, count) in enumerate(zip(sizes.tolist(), counts.tolist(), strict=True)):
        left, step = min(count, capacity // size), 1
        while left > 0:
            index.append(i)
            times.append(min(step, left))
            left -= step
            step *= 2
    return index, times


def _prices(columns: list[np.ndarray], counts: np.ndarray) -> np.ndarray | None:
    """The duals of the relaxation, as integers."""
    matrix = csc_array(np.stack(columns, 1).astype(np.float64))
    answer: Any = linprog(np.ones(len(columns)), A_ub=-matrix, b_ub=-counts.astype(np.float64), method="highs")
    if answer.status != 0:
        return None
    return np.maximum(0, np.floor(-answer.ineqlin.marginals * UNIT)).astype(np.int64)


def _dearest(prices: np.ndarray, sizes: np.ndarray, counts: np.ndarray, capacity: int, attempt: Attempt) -> tuple[int, np.ndarray] | None:
    """The dearest pattern of so many of each size, exactly; None where the clock ends it."""
    copies = _copies(sizes, counts, capacity)
    best = np.zeros(capacity + 1, np.int64)
    decisions = []
    for i, times in zip(*copies, strict=True):
        weight, price = int(sizes[i]) * times, int(prices[i]) * times
        with_it = best[:-weight] + price
        better = with_it > best[weight:]
        decisions.append(better)
        best[weight:] = np.maximum(best[weight:], with_it)
        if attempt.over():
            return None
    column = np.zeros(len(sizes), np.int64)
    room = capacity
    for i, times, better in zip(reversed(copies[0]), reversed(copies[1]), reversed(decisions), strict=True):
        weight = int(sizes[i]) * times
        if room >= weight and better[room - weight]:
            column[i] += times
            room -= weight
    return int(best[capacity]), column


def _pack(attempt: Attempt, columns: list[np.ndarray], sizes: np.ndarray, counts: np.ndarray) -> None:
    """The fewest of these patterns in whole numbers; what they hold too much is left out."""
    instance = attempt.instance
    matrix: Any = csc_array(np.stack(columns, 1).astype(np.float64))
    options: dict[str, Any] = {} if attempt.left is None else {"time_limit": max(0.01, attempt.left)}
    limits = Bounds(0, float(counts.max()))
    answer = milp(
        np.ones(len(columns)), integrality=np.ones(len(columns)), bounds=limits, constraints=(matrix, counts, np.inf), options=options
    )
    if answer.x is None:
        return
    left = {int(size): np.flatnonzero(instance.weights == size).tolist() for size in sizes}
    bins: list[list[int]] = []
    for column, times in zip(columns, np.rint(answer.x).astype(int).tolist(), strict=True):
        for _ in range(times):
            one = [
                left[int(size)].pop() for size, n in zip(sizes, column.tolist(), strict=True) for _ in range(min(n, len(left[int(size)])))
            ]
            if one:
                bins.append(one)
    if any(left.values()):  # the solver's tolerance
        return
    bins[0].extend(np.flatnonzero(instance.weights == 0).tolist())
    attempt.offer(tuple(tuple(one) for one in bins))
