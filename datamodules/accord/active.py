"""A job shop's plan with every operation as early as it goes without delaying another: an active schedule (ACCORD brief 3.1)."""

from datamodules.accord.instances import JobShop
from datamodules.accord.solution import Plan

__all__ = ["left_shifted", "makespan"]


def left_shifted(instance: JobShop, starts: Plan) -> Plan:
    """In order of start, each operation goes into the first gap of its machine that holds it. Nothing begins later than before."""
    operations = sorted(
        (start, start + time, place, job, machine)
        for job, (row, begun) in enumerate(zip(instance.jobs, starts, strict=True))
        for place, ((machine, time), start) in enumerate(zip(row, begun, strict=True))
    )
    busy: list[list[tuple[int, int]]] = [[] for _ in range(instance.machines)]  # by machine, in order of time
    ready = [0] * len(instance.jobs)
    shifted: list[list[int]] = [[] for _ in instance.jobs]
    for start, end, _, job, machine in operations:
        time, at, where = end - start, ready[job], len(busy[machine])
        for i, (begin, stop) in enumerate(busy[machine]):
            if at + time <= begin:
                where = i
                break
            at = max(at, stop)
        busy[machine].insert(where, (at, at + time))
        ready[job] = at + time
        shifted[job].append(at)
    return tuple(tuple(row) for row in shifted)


def makespan(instance: JobShop, starts: Plan) -> int:
    """When the last operation ends."""
    return max(begun[-1] + job[-1][1] for job, begun in zip(instance.jobs, starts, strict=True))
