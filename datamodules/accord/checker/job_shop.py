"""jssp, from the definition: every operation once, on its machine, for its time, after the one before it, and never two on a machine.

A plan holds a start for each operation, job by job. In its place may stand (machine, start, time), as a text states an operation: then the
statement is checked against the instance. None: the text has no such operation.
"""

from typing import Any

from datamodules.accord.checker.report import Violation, sequence, whole
from datamodules.accord.instances import JobShop

__all__ = ["judge"]

Run = tuple[int, int, int, int]  # start, end, job, operation


def judge(instance: JobShop, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, makespan, nothing that is counted."""
    rows = sequence(plan)
    if rows is None:
        return [Violation("shape", (), None, "the plan is no list of jobs")], None, None
    wrong: list[Violation] = []
    runs: dict[int, list[Run]] = {}
    known, last = True, 0
    for job in range(len(rows), instance.size):
        wrong.append(Violation("missing", (job,), None, f"job {instance.label(job)} is missing"))
    for job, entry in enumerate(rows):
        if job >= instance.size:
            wrong.append(Violation("unknown", (job,), None, f"job {job} does not exist"))
            continue
        operations = sequence(entry)
        if operations is None:
            wrong.append(Violation("shape", (job,), None, f"job {instance.label(job)} is no list of starts"))
            known = False
            continue
        found, strange = _operations(instance, job, operations)
        wrong += strange
        known = known and not any(one.code == "type" for one in strange)
        for (machine, run), before in zip(found, [None, *(run for _, run in found)], strict=False):
            start, end, _, operation = run
            if start < 0:
                wrong.append(Violation("negative", (job, operation), -start, f"{_name(instance, run)} starts at {start}, before time 0"))
            if before is not None and start < before[1]:
                says = f"{_name(instance, run)} starts at {start}; {_name(instance, before)} ends at {before[1]}"
                wrong.append(Violation("order", (job, operation), before[1] - start, says))
            runs.setdefault(machine, []).append(run)
            last = max(last, end)
    for machine, there in sorted(runs.items()):
        wrong += _overlaps(instance, machine, there)
    return wrong, last if known else None, None


def _operations(instance: JobShop, job: int, entries: list[Any]) -> tuple[list[tuple[int, Run]], list[Violation]]:
    """(true machine, run) of each operation that is there, with its true time; and what is wrong with the entries."""
    wrong: list[Violation] = []
    found: list[tuple[int, Run]] = []
    truth = instance.jobs[job]
    for operation in range(len(entries), len(truth)):
        wrong.append(Violation("missing", (job, operation), None, f"operation {operation} of job {instance.label(job)} is missing"))
    for operation, entry in enumerate(entries):
        name = f"operation {operation} of job {instance.label(job)}"
        if operation >= len(truth):
            wrong.append(
                Violation("repeated", (job, operation), 1, f"job {instance.label(job)} has {len(truth)} operations; here is one more")
            )
            continue
        if entry is None:
            wrong.append(Violation("missing", (job, operation), None, f"{name} is missing"))
            continue
        machine, time = truth[operation]
        start = whole(entry)
        stated = [whole(part) for part in sequence(entry) or ()]
        if len(stated) == 3 and None not in stated:
            said, start, took = stated
            if said != machine:
                says = f"{name} is said to run on machine {instance.machine_label(said or 0)}, not {instance.machine_label(machine)}"
                wrong.append(Violation("machine", (job, operation, said), None, says))
            if took != time:
                says = f"{name} is said to take {took}, not {time}"
                wrong.append(Violation("duration", (job, operation), abs((took or 0) - time), says))
        if start is None:
            wrong.append(Violation("type", (job, operation), None, f"{name} has no whole number as its start"))
            continue
        found.append((machine, (start, start + time, job, operation)))
    return found, wrong


def _overlaps(instance: JobShop, machine: int, runs: list[Run]) -> list[Violation]:
    """Every pair that runs at once: open intervals that meet. One of no length may stand anywhere but strictly inside another."""
    wrong = []
    active: list[Run] = []
    for run in sorted(runs):
        active = [other for other in active if other[1] > run[0]]
        for other in active:  # it started no later, and ends after this one starts
            long = min(other[1], run[1]) - run[0]
            first, second = (f"{_name(instance, one)} ({one[0]} to {one[1]})" for one in (other, run))
            says = f"{first} and {second} run at once on machine {instance.machine_label(machine)}"
            wrong.append(Violation("overlap", (machine, *other[2:], *run[2:]), long, says))
        active.append(run)
    return wrong


def _name(instance: JobShop, run: Run) -> str:
    return f"operation {run[3]} of job {instance.label(run[2])}"
