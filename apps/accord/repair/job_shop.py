"""Schedules: operations keep their machines' order and their starts where they can, and are delayed where they must be."""

from typing import Any

from apps.accord.repair.lists import Change, items_of, whole
from datamodules.accord.instances import JobShop
from datamodules.accord.solution import Plan

__all__ = ["mend_job_shop"]


def mend_job_shop(instance: JobShop, plan: Any) -> tuple[Plan, list[Change]]:
    """The operation of least start goes next, at its own start or as soon as its job and its machine are free."""
    given, changes = _starts(instance, plan)
    step, ready, free = [0] * instance.size, [0] * instance.size, [0] * instance.machines
    starts: list[list[int]] = [[] for _ in range(instance.size)]

    def turn(job: int) -> tuple[int, bool, bool, int]:
        """When it would begin and push none away that can keep its start; at one moment those of no length first, then those that keep."""
        machine, time = instance.jobs[job][step[job]]
        wish, start = given[job][step[job]], max(ready[job], free[machine])
        if wish is not None and wish >= start:
            return wish, time > 0, False, job
        for begin, length, other, place in wished[machine]:
            if other != job and place >= step[other] and start < begin + length and begin < start + time:
                start = begin + length
        return start, time > 0, True, job

    wished: list[list[tuple[int, int, int, int]]] = [[] for _ in range(instance.machines)]  # by machine: start, time, job, which operation
    for job, operations in enumerate(instance.jobs):
        for place, (machine, time) in enumerate(operations):
            if (wish := given[job][place]) is not None:
                wished[machine].append((wish, time, job, place))
    for row in wished:
        row.sort()
    for _ in range(sum(map(len, instance.jobs))):
        job = min((job for job in range(instance.size) if step[job] < len(instance.jobs[job])), key=turn)
        machine, time = instance.jobs[job][step[job]]
        wish = given[job][step[job]]
        earliest = max(ready[job], free[machine])
        start = earliest if wish is None else max(wish, earliest)
        where, name = (job, step[job]), f"operation {step[job]} of job {instance.label(job)}"
        if wish is None:
            changes.append(Change("added", where, f"{name} had no start: it begins at {start}"))
        elif start != wish:
            changes.append(Change("delayed", where, f"{name} begins at {start}, not at {wish}"))
        starts[job].append(start)
        ready[job] = free[machine] = start + time
        step[job] += 1
    return tuple(tuple(row) for row in starts), changes


def _starts(instance: JobShop, plan: Any) -> tuple[list[list[int | None]], list[Change]]:
    """The start of each operation, None where there is none that could be one; and what was there beyond the operations."""
    rows, changes = items_of(plan), []
    starts: list[list[int | None]] = []
    for job, operations in enumerate(instance.jobs):
        entries = items_of(rows[job]) if job < len(rows) else []
        starts.append([whole(entry) for entry in entries[: len(operations)]] + [None] * (len(operations) - len(entries)))
        if len(entries) > len(operations):
            changes.append(
                Change("removed", (job,), f"job {instance.label(job)} has {len(operations)} operations: the starts after them are left out")
            )
    if len(rows) > instance.size:
        changes.append(Change("removed", (), f"there are {instance.size} jobs: the rows after them are left out"))
    return starts, changes
