"""All beginnings of a sequence, job by job, without those that a bound or another beginning of the same jobs rules out.

S beginnings, N jobs, M machines. `done` is a set of jobs as bits, `ready` when each machine is free.
"""

import numpy as np

from datamodules.accord.references.attempt import Attempt

__all__ = ["layers"]

WIDEST = 300_000  # beginnings in a layer: what needs more is left to other methods
BLOCK = 1 << 21  # numbers in an array at a time
LOOK_BACK = 6  # beginnings of the same jobs that each one is compared with


def layers(attempt: Attempt) -> None:
    """From the attempt's plan; proven where no layer is too wide."""
    times = attempt.instance.times
    jobs, machines = times.shape
    if jobs > 60 or attempt.plan is None or attempt.ended():
        return
    tails = times.sum(1, keepdims=True) - times.cumsum(1)  # of a job after each machine
    done_S, ready_SM = np.zeros(1, np.int64), np.zeros((1, machines), np.int64)
    trail: list[tuple[np.ndarray, np.ndarray]] = []  # (parent, job) of each beginning, layer by layer
    for _ in range(jobs):
        grown = _grow(attempt, times, tails, done_S, ready_SM)
        if grown is None:
            return
        done_S, ready_SM, parent_S, job_S = grown
        if not len(done_S):
            attempt.prove()  # none can beat the plan
            return
        trail.append((parent_S, job_S))
    best = int(ready_SM[:, -1].argmin())
    value = int(ready_SM[best, -1])
    order = []
    for parent_S, job_S in reversed(trail):
        order.append(int(job_S[best]))
        best = int(parent_S[best])
    attempt.offer(tuple(reversed(order)), value)
    attempt.prove()


def _grow(
    attempt: Attempt, times: np.ndarray, tails: np.ndarray, done_S: np.ndarray, ready_SM: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """(done, ready, parent, job) of the next layer; None: too wide, or out of time."""
    jobs, machines = times.shape
    bits = 1 << np.arange(jobs)
    until = times.cumsum(1)
    parts, width = [], 0
    for first in range(0, len(done_S), max(1, BLOCK // (jobs * jobs * machines))):
        block = slice(first, first + max(1, BLOCK // (jobs * jobs * machines)))
        parent, job = np.nonzero((done_S[block, None] & bits) == 0)
        done = done_S[block][parent] | bits[job]
        ready = np.maximum.accumulate(ready_SM[block][parent] - until[job] + times[job], axis=1) + until[job]
        keep = _bound(times, tails, done, ready) < (attempt.objective or 0)
        parts.append((done[keep], ready[keep], parent[keep] + first, job[keep]))
        width += int(keep.sum())
        if width > 4 * WIDEST or attempt.over():
            return None
    done, ready, parent, job = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((ready.sum(1), done))
    keep = np.ones(len(order), bool)
    for back in range(1, min(LOOK_BACK, len(order) - 1) + 1):  # of the same jobs, no machine is free sooner: never better
        a, b = order[:-back], order[back:]
        keep[back:] &= ~((done[a] == done[b]) & (ready[a] <= ready[b]).all(1))
    order = order[keep]
    if len(order) > WIDEST:
        return None
    return done[order], ready[order], parent[order], job[order]


def _bound(times: np.ndarray, tails: np.ndarray, done_S: np.ndarray, ready_SM: np.ndarray) -> np.ndarray:
    """Each machine has the work of the jobs left, and after it one of their tails."""
    jobs = len(times)
    left_SN = (done_S[:, None] >> np.arange(jobs) & 1) == 0
    work_SM = left_SN @ times
    least_SM = np.where(left_SN[:, :, None], tails[None], np.iinfo(np.int64).max // 4).min(1)
    least_SM[~left_SN.any(1)] = 0
    return (ready_SM + work_SM + least_SM).max(1)
