"""Schedules: operations keep their machines' order and their starts where they can, and are delayed where they must be."""

from typing import Any

from apps.accord.repair.lists import Change, items_of, whole
from datamodules.accord.instances import JobShop
from datamodules.accord.solution import Plan

__all__ = ["mend_job_shop"]


def mend_job_shop(instance: JobShop, plan: Any) -> tuple[Plan, list[Change]]:
    """The operation of least start goes next, at its own start or as soon as its job and its machine are free."""
    given = _starts(instance, plan)
    step, ready, free = [0] * instance.size, [0] * instance.size, [0] * instance.machines
    starts: list[list[int]] = [[] for _ in range(instance.size)]
    changes: list[Change] = []
    for _ in range(sum(map(len, instance.jobs))):
        job = min(
            (job for job in range(instance.size) if step[job] < len(instance.jobs[job])),
            key=lambda job: _turn(given[job][step[job]], ready[job], instance.jobs[job][step[job]], job),
        )
        machine, time = instance.jobs[job][step[job]]
        wish = given[job][step[job]]
        earliest = max(ready[job], free[machine])
        start = earliest if wish is None else max(wish, earliest)
        where = (job, step[job])
        if wish is None:
            changes.append(Change("added", where, f"operation {step[job]} of job {job} had no start: it begins at {start}"))
        elif start != wish:
            changes.append(Change("delayed", where, f"operation {step[job]} of job {job} begins at {start}, not at {wish}"))
        starts[job].append(start)
        ready[job] = free[machine] = start + time
        step[job] += 1
    return tuple(tuple(row) for row in starts), changes


def _starts(instance: JobShop, plan: Any) -> list[list[int | None]]:
    """The start of each operation; None where there is none that could be one."""
    rows = items_of(plan)
    starts = []
    for job, operations in enumerate(instance.jobs):
        entries = items_of(rows[job]) if job < len(rows) else []
        numbers = [whole(entry) for entry in entries[: len(operations)]] + [None] * (len(operations) - len(entries))
        starts.append([number if number is None or number >= 0 else 0 for number in numbers])
    return starts


def _turn(wish: int | None, ready: int, operation: tuple[int, int], job: int) -> tuple[int, int, int]:
    """Whose turn comes first: the least start; at one moment those of no length, for nothing may begin inside another."""
    return max(ready, wish or 0), int(operation[1] > 0), job
