"""A schedule of a job shop moved to the left: every operation into the first gap of its machine that it fits, in the order of its starts.

What lay before an operation ends no later than it did, so its own place is still free: none starts later than before, and the result is
active: no operation could start earlier without another one starting later.
"""

from collections.abc import Sequence

__all__ = ["left_shifted"]


def left_shifted(jobs: Sequence[Sequence[tuple[int, int]]], starts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Starts, job by job."""
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
    return shifted


def _first_gap(busy: list[tuple[int, int]], ready: int, time: int) -> int:
    for start, end in busy:
        if ready + time <= start:
            break
        ready = max(ready, end)
    return ready
