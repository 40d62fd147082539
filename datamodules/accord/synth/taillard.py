"""Taillard's generator (1993): x <- 16807 x mod (2**31 - 1). It makes the published instances anew from their seeds."""

import numpy as np

from datamodules.accord.instances import FlowShop, JobShop

__all__ = ["MOST", "taillard_flow_shop", "taillard_job_shop"]

MOST = (1 << 31) - 1  # seeds are 1..MOST-1


class _Line:
    def __init__(self, seed: int) -> None:
        if not 0 < seed < MOST:
            raise ValueError(f"seed {seed}: it must be above 0 and below {MOST}")
        self._x = seed

    def integer(self, low: int, high: int) -> int:
        self._x = 16807 * self._x % MOST
        return low + self._x * (high - low + 1) // MOST


def taillard_flow_shop(jobs: int, machines: int, time_seed: int, name: str = "") -> FlowShop:
    """Times 1..99, machine by machine."""
    line = _Line(time_seed)
    times = np.array([[line.integer(1, 99) for _ in range(jobs)] for _ in range(machines)])
    return FlowShop(times.T, name=name)


def taillard_job_shop(jobs: int, machines: int, time_seed: int, machine_seed: int, name: str = "") -> JobShop:
    """Times 1..99, job by job; then every job's machines, shuffled."""
    line = _Line(time_seed)
    times = [[line.integer(1, 99) for _ in range(machines)] for _ in range(jobs)]
    line = _Line(machine_seed)
    rows = []
    for job in range(jobs):
        order = list(range(machines))
        for i in range(machines):
            j = line.integer(i, machines - 1)
            order[i], order[j] = order[j], order[i]
        rows.append(tuple(zip(order, times[job], strict=True)))
    return JobShop(tuple(rows), machines, name=name)
