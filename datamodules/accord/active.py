"""A job shop's plan with every operation as early as it goes without delaying another: an active schedule (ACCORD brief 3.1)."""

from collections.abc import Sequence

from datamodules.accord.instances import JobShop
from datamodules.accord.solution import Plan

__all__ = ["left_shifted", "makespan"]


def left_shifted(jobs: Sequence[Sequence[tuple[int, int]]], starts: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """In order of start, each operation goes into the first gap of its machine that holds it. Nothing begins later than before."""
    order = sorted((start, start + jobs[j][k][1], k, j) for j, row in enumerate(starts) for k, start in enumerate(row))
    taken: dict[int, list[tuple[int, int]]] = {}
    shifted = [[0] * len(row) for row in starts]
    for _, _, k, j in order:
        machine, time = jobs[j][k]
        ready = shifted[j][k - 1] + jobs[j][k - 1][1] if k else 0
        busy = taken.setdefault(machine, [])
        shifted[j][k] = _first_gap(busy, ready, time)
        busy.append((shifted[j][k], shifted[j][k] + time))
        busy.sort()
    return tuple(tuple(row) for row in shifted)


def makespan(instance: JobShop, starts: Plan) -> int:
    """When the last operation ends."""
    return max(begun[-1] + job[-1][1] for job, begun in zip(instance.jobs, starts, strict=True))


def _first_gap(busy: list[tuple[int, int]], ready: int, time: int) -> int:
    for start, end in busy:
        if ready + time <= start:
            break
        ready = max(ready, end)
    return ready
