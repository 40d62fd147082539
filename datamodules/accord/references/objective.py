"""What a plan costs (knapsack: brings), in the instance's own integers. It is taken to be feasible: the checker checks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["completions", "objective", "route_cost"]


def objective(instance: Instance, plan: Plan) -> int:
    return _OBJECTIVES[instance.kind](instance, plan)


def route_cost(distances: np.ndarray, route: Any) -> int:
    """From the depot through the customers and back."""
    stops = np.array((0, *route))
    return int(distances[stops, np.roll(stops, -1)].sum())


def completions(times: np.ndarray, order: Any) -> np.ndarray:
    """When the last job of the order leaves each machine."""
    ready = np.zeros(times.shape[1], np.int64)
    for job in order:
        until = times[job].cumsum()
        ready = np.maximum.accumulate(ready - until + times[job]) + until  # c_k = max(c_k, c_{k-1}) + p_k, unrolled over k
    return ready


def _tsp(instance: TSP, plan: Plan) -> int:
    order = np.array(plan)
    return int(instance.distances[order, np.roll(order, -1)].sum())


def _cvrp(instance: CVRP, plan: Plan) -> int:
    return sum(route_cost(instance.distances, route) for route in plan)


def _knapsack(instance: Knapsack, plan: Plan) -> int:
    return int(instance.values[list(plan)].sum())


def _binpack(instance: BinPacking, plan: Plan) -> int:
    return len(plan)


def _pfsp(instance: FlowShop, plan: Plan) -> int:
    return int(completions(instance.times, plan)[-1])


def _jssp(instance: JobShop, plan: Plan) -> int:
    return max(starts[-1] + job[-1][1] for starts, job in zip(plan, instance.jobs, strict=True))


_OBJECTIVES: dict[str, Callable[[Any, Plan], int]] = {
    "tsp": _tsp,
    "cvrp": _cvrp,
    "knapsack": _knapsack,
    "binpack": _binpack,
    "pfsp": _pfsp,
    "jssp": _jssp,
}
