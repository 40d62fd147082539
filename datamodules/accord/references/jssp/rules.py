"""Dispatching rules, in Giffler and Thompson's generator: which of the jobs in conflict goes next.

Active: the jobs that could delay the operation that would finish first. Non-delay: the jobs that could start first.
"""

from collections.abc import Callable

from datamodules.accord.instances import JobShop
from datamodules.accord.references.attempt import Attempt

__all__ = ["RULES", "dispatch", "rule"]

# Of a job with its next operation: (time, work left, operations left, earliest start); the least goes first, ties to the lower job.
Rule = Callable[[int, int, int, int], int]
RULES: dict[str, Rule] = {
    "spt": lambda time, work, operations, start: time,
    "lpt": lambda time, work, operations, start: -time,
    "mwkr": lambda time, work, operations, start: -work,
    "mor": lambda time, work, operations, start: -operations,
    "fifo": lambda time, work, operations, start: start,
}


def rule(name: str, active: bool = False) -> Callable[[Attempt], None]:
    def run(attempt: Attempt) -> None:
        attempt.offer(dispatch(attempt.instance, RULES[name], active))

    return run


def dispatch(instance: JobShop, priority: Rule, active: bool) -> tuple[tuple[int, ...], ...]:
    jobs = instance.jobs
    ready, free = [0] * len(jobs), [0] * instance.machines
    work = [sum(time for _, time in job) for job in jobs]
    starts: list[list[int]] = [[] for _ in jobs]
    open_jobs = list(range(len(jobs)))
    while open_jobs:
        nexts = []
        for j in open_jobs:
            machine, time = jobs[j][len(starts[j])]
            nexts.append((max(ready[j], free[machine]), time, machine, j))
        if active:
            ends, _, contended = min((start + time, j, machine) for start, time, machine, j in nexts)
            first = min((j for start, time, machine, j in nexts if start + time == ends and machine == contended), default=-1)
            conflict = [one for one in nexts if one[2] == contended and (one[0] < ends or one[3] == first)]
        else:
            earliest = min(nexts)[0]
            conflict = [one for one in nexts if one[0] == earliest]
        start, time, machine, j = min(
            conflict, key=lambda one: (priority(one[1], work[one[3]], len(jobs[one[3]]) - len(starts[one[3]]), one[0]), one[3])
        )
        starts[j].append(start)
        ready[j] = free[machine] = start + time
        work[j] -= time
        if len(starts[j]) == len(jobs[j]):
            open_jobs.remove(j)
    return tuple(tuple(row) for row in starts)
