"""Taillard's insertion tables, for many sequences at once: what every place costs a job, in time of one pass over the sequence.

B sequences, K jobs in a sequence, M machines. A row of heads is c_k = max(c_k, c_{k-1}) + p_k; unrolled over k it is a cumulative maximum,
so that a row is three operations of NumPy whatever M is.
"""

import numpy as np

__all__ = ["insert", "makespans", "prices", "remove"]


def prices(times: np.ndarray, order_BK: np.ndarray, job_B: np.ndarray) -> np.ndarray:
    """(B, K+1): the makespan with the job put at each place."""
    count, length = order_BK.shape
    machines = times.shape[1]
    own = times[order_BK]  # B,K,M
    both = np.concatenate([own, own[:, ::-1, ::-1]])  # heads forward; tails are heads of the mirror
    until = both.cumsum(2)
    before = until - both
    rows = np.zeros((length + 1, 2 * count, machines), np.int64)
    for k in range(length):
        np.subtract(rows[k], before[:, k], out=rows[k + 1])
        np.maximum.accumulate(rows[k + 1], axis=1, out=rows[k + 1])
        rows[k + 1] += until[:, k]
    heads, tails = rows[:, :count], rows[::-1, count:, ::-1]
    added = times[job_B]
    sums = added.cumsum(1)
    ends = np.maximum.accumulate(heads - (sums - added), axis=2)
    ends += sums
    ends += tails
    return ends.max(2).T


def makespans(times: np.ndarray, order_BK: np.ndarray) -> np.ndarray:
    ready = np.zeros((len(order_BK), times.shape[1]), np.int64)
    for k in range(order_BK.shape[1]):
        own = times[order_BK[:, k]]
        until = own.cumsum(1)
        ready = np.maximum.accumulate(ready - until + own, axis=1) + until
    return ready[:, -1]


def insert(order_BK: np.ndarray, place_B: np.ndarray, job_B: np.ndarray) -> np.ndarray:
    count, length = order_BK.shape
    places = np.arange(length + 1)[None, :] - (np.arange(length + 1)[None, :] > place_B[:, None])
    out = np.take_along_axis(np.concatenate([order_BK, job_B[:, None]], 1), places, 1)
    out[np.arange(count), place_B] = job_B
    return out


def remove(order_BK: np.ndarray, place_B: np.ndarray) -> np.ndarray:
    length = order_BK.shape[1]
    places = np.arange(length - 1)[None, :]
    return np.take_along_axis(order_BK, places + (places >= place_B[:, None]), 1)
