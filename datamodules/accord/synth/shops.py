"""pfsp and jssp: times 1..99; in a job shop every job passes all machines once, in a random order."""

from datamodules.accord.instances import FlowShop, JobShop
from datamodules.accord.synth.draws import Draws
from datamodules.accord.synth.taillard import MOST, taillard_flow_shop, taillard_job_shop

__all__ = ["jssp", "pfsp"]


def pfsp(draws: Draws, size: tuple[int, int], dist: str, name: str) -> FlowShop:
    if dist == "taillard":
        return taillard_flow_shop(*size, draws.integer(1, MOST - 1), name)
    return FlowShop(draws.integers(1, 99, *size), name=name)


def jssp(draws: Draws, size: tuple[int, int], dist: str, name: str) -> JobShop:
    jobs, machines = size
    if dist == "taillard":
        return taillard_job_shop(jobs, machines, draws.integer(1, MOST - 1), draws.integer(1, MOST - 1), name)
    rows = []
    for _ in range(jobs):
        rows.append(tuple(zip(draws.permutation(machines).tolist(), draws.integers(1, 99, machines).tolist(), strict=True)))
    return JobShop(tuple(rows), machines, name=name)
