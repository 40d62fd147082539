"""All beginnings of active schedules, operation by operation, without those that a bound or another beginning of the same operations rules
out (after Gromicho, van Hoorn and others' dynamic programme; NumPy, small shops).

S beginnings, J jobs, K machines, O operations of the longest job.
"""

from typing import NamedTuple

import numpy as np

from datamodules.accord.instances import JobShop
from datamodules.accord.references.attempt import Attempt

__all__ = ["layers"]

WIDEST = 200_000
LOOK_BACK = 6
FAR = np.iinfo(np.int64).max // 4


class _Shop(NamedTuple):
    machine_JO: np.ndarray
    time_JO: np.ndarray  # 0 behind a job's end
    tail_JO: np.ndarray  # of a job from the operation's end on
    left_JOK: np.ndarray  # work of a job on each machine from the operation on
    count_J: np.ndarray


class _Layer(NamedTuple):
    next_SJ: np.ndarray
    job_SJ: np.ndarray  # when each job is free
    machine_SK: np.ndarray  # when each machine is
    parent_S: np.ndarray
    chosen_S: np.ndarray


def layers(attempt: Attempt) -> None:
    """From the attempt's plan; proven where no layer is too wide."""
    if attempt.plan is None or attempt.ended():
        return
    shop = _tables(attempt.instance)
    jobs = len(shop.count_J)
    layer = _Layer(
        *(np.zeros((1, n), np.int64) for n in (jobs, jobs, attempt.instance.machines)), *(np.zeros(1, np.int64) for _ in range(2))
    )
    trail = []
    for _ in range(int(shop.count_J.sum())):
        if attempt.over():
            return
        layer = _grow(attempt, shop, layer)
        if layer is None:
            return
        if not len(layer.parent_S):
            attempt.prove()  # none can beat the plan
            return
        trail.append((layer.parent_S, layer.chosen_S))
    best = int(layer.job_SJ.max(1).argmin())
    order = []
    for parent_S, chosen_S in reversed(trail):
        order.append(int(chosen_S[best]))
        best = int(parent_S[best])
    attempt.offer(_starts(attempt.instance, order[::-1]))
    attempt.prove()


def _tables(instance: JobShop) -> _Shop:
    count_J = np.array([len(job) for job in instance.jobs])
    shape = (len(count_J), int(count_J.max()) + 1)
    machine_JO, time_JO, tail_JO = (np.zeros(shape, np.int64) for _ in range(3))
    left_JOK = np.zeros((*shape, instance.machines), np.int64)
    for j, job in enumerate(instance.jobs):
        for o in range(len(job) - 1, -1, -1):
            machine, time = job[o]
            machine_JO[j, o], time_JO[j, o] = machine, time
            tail_JO[j, o] = tail_JO[j, o + 1] + time_JO[j, o + 1]
            left_JOK[j, o] = left_JOK[j, o + 1]
            left_JOK[j, o, machine] += time
    return _Shop(machine_JO, time_JO, tail_JO, left_JOK, count_J)


def _grow(attempt: Attempt, shop: _Shop, layer: _Layer) -> _Layer | None:
    """Giffler and Thompson's conflicts, all of them; None: too wide."""
    jobs = np.arange(len(shop.count_J))
    open_SJ = layer.next_SJ < shop.count_J
    machine_SJ = shop.machine_JO[jobs, layer.next_SJ]
    start_SJ = np.maximum(layer.job_SJ, np.take_along_axis(layer.machine_SK, machine_SJ, 1))
    end_SJ = np.where(open_SJ, start_SJ + shop.time_JO[jobs, layer.next_SJ], FAR)
    first_S = end_SJ.argmin(1)
    rows = np.arange(len(first_S))
    conflict_SJ = open_SJ & (machine_SJ == machine_SJ[rows, first_S][:, None]) & (start_SJ < end_SJ[rows, first_S][:, None])
    conflict_SJ[rows, first_S] = True
    parent, job = np.nonzero(conflict_SJ)
    if len(parent) > 6 * WIDEST:
        return None
    next_SJ, job_SJ, machine_SK = layer.next_SJ[parent], layer.job_SJ[parent], layer.machine_SK[parent]
    rows, end = np.arange(len(parent)), end_SJ[parent, job]
    job_SJ[rows, job] = end
    machine_SK[rows, machine_SJ[parent, job]] = end
    next_SJ[rows, job] += 1
    # when each job could start at the soonest: two beginnings of the same operations differ in nothing else
    soonest_SJ = np.maximum(job_SJ, np.take_along_axis(machine_SK, shop.machine_JO[jobs, next_SJ], 1))
    soonest_SJ = np.where(next_SJ < shop.count_J, soonest_SJ, job_SJ)
    keep = _bound(shop, next_SJ, soonest_SJ, machine_SK) < (attempt.objective or 0)
    children = _Layer(next_SJ[keep], job_SJ[keep], machine_SK[keep], parent[keep], job[keep])
    return _undominated(children, soonest_SJ[keep])


def _undominated(layer: _Layer, soonest_SJ: np.ndarray) -> _Layer | None:
    order = np.lexsort((soonest_SJ.sum(1) + layer.machine_SK.sum(1), *layer.next_SJ.T))
    state = np.concatenate([soonest_SJ, layer.machine_SK], 1)[order]
    same = layer.next_SJ[order]
    keep = np.ones(len(order), bool)
    for back in range(1, min(LOOK_BACK, len(order) - 1) + 1):
        keep[back:] &= ~((same[:-back] == same[back:]).all(1) & (state[:-back] <= state[back:]).all(1))
    order = order[keep]
    if len(order) > WIDEST:
        return None
    return _Layer(*(column[order] for column in layer))


def _bound(shop: _Shop, next_SJ: np.ndarray, soonest_SJ: np.ndarray, machine_SK: np.ndarray) -> np.ndarray:
    """Each job to its end; each machine's work left, from when it is free, and the least tail after it."""
    jobs = np.arange(next_SJ.shape[1])
    bound_S = (soonest_SJ + shop.tail_JO[jobs, next_SJ] + shop.time_JO[jobs, next_SJ]).max(1)
    left_SK = np.zeros_like(machine_SK)
    head_SK = np.full_like(machine_SK, FAR)
    for j in jobs:
        left_SK += shop.left_JOK[j][next_SJ[:, j]]
        uses_SK = shop.left_JOK[j][next_SJ[:, j]] > 0
        head_SK = np.minimum(head_SK, np.where(uses_SK, soonest_SJ[:, j : j + 1], FAR))
    begin_SK = np.where(left_SK > 0, np.maximum(machine_SK, head_SK), machine_SK)
    return np.maximum(bound_S, (begin_SK + left_SK).max(1))


def _starts(instance: JobShop, order: list[int]) -> tuple[tuple[int, ...], ...]:
    starts: list[list[int]] = [[] for _ in instance.jobs]
    ready, free = [0] * len(instance.jobs), [0] * instance.machines
    for j in order:
        machine, time = instance.jobs[j][len(starts[j])]
        start = max(ready[j], free[machine])
        starts[j].append(start)
        ready[j] = free[machine] = start + time
    return tuple(tuple(row) for row in starts)
