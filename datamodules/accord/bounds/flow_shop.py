"""Permutation flow shop: machine-based and job-based bounds, and Johnson's rule on every pair of machines.

What lies between the two counts as a lag (Lageweg, Lenstra and Rinnooy Kan 1978).
"""

from itertools import combinations

import numpy as np

__all__ = ["flow_shop_bound"]


def flow_shop_bound(times: np.ndarray) -> int:
    """times (jobs, machines), int64."""
    jobs, machines = times.shape
    before = np.cumsum(times, 1) - times  # work of the job ahead of each operation
    after = times.sum(1, keepdims=True) - before - times
    best = max(_machine(times[:, k], before[:, k], after[:, k]) for k in range(machines))
    if jobs > 1 and machines > 1:
        best = max(best, _job(times), *(_pair(times, before, after, *pair) for pair in combinations(range(machines), 2)))
    return best


def _machine(time_N: np.ndarray, before_N: np.ndarray, after_N: np.ndarray) -> int:
    """All jobs pass the machine one by one; something comes before the first, and after the last, which is another job."""
    return int(time_N.sum()) + _first_and_last(before_N, after_N)


def _first_and_last(before_N: np.ndarray, after_N: np.ndarray) -> int:
    if len(before_N) == 1:
        return int(before_N[0] + after_N[0])
    first, last = np.argsort(before_N, kind="stable")[:2], np.argsort(after_N, kind="stable")[:2]
    return min(int(before_N[i] + after_N[j]) for i in first for j in last if i != j)


def _job(times: np.ndarray) -> int:
    """A job passes all machines; every other one is ahead of it on the first machine or behind it on the last."""
    least = np.minimum(times[:, 0], times[:, -1])
    return int((times.sum(1) + least.sum() - least).max())


def _pair(times: np.ndarray, before: np.ndarray, after: np.ndarray, k: int, m: int) -> int:
    """Machines k < m alone, the others never busy: Johnson's order with lags is optimal among permutations (Mitten 1959)."""
    a, b = times[:, k], times[:, m]
    lag = before[:, m] - before[:, k] - a
    early = np.flatnonzero(a <= b)
    late = np.flatnonzero(a > b)
    order = np.concatenate([early[np.argsort((a + lag)[early], kind="stable")], late[np.argsort(-(b + lag)[late], kind="stable")]])
    a, b, lag_in_order = a[order], b[order], lag[order]
    span = int((np.cumsum(a) + lag_in_order + np.cumsum(b[::-1])[::-1]).max())
    return span + _first_and_last(before[:, k], after[:, m])
