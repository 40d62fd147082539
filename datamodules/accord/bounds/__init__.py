"""What no plan can beat, in milliseconds: a lower bound where the objective is minimised, an upper one for the knapsack.

An answer that meets its bound is optimal, without any search: knapsacks and bins often are.
"""

from collections.abc import Callable
from typing import Any

from datamodules.accord.bounds.bins import fewest_bins
from datamodules.accord.bounds.flow_shop import flow_shop_bound
from datamodules.accord.bounds.job_shop import job_shop_bound
from datamodules.accord.bounds.knapsack import dantzig
from datamodules.accord.bounds.routes import fewest_vehicles, routes_bound
from datamodules.accord.bounds.tours import tour_bound
from datamodules.accord.instances import Instance

__all__ = ["bound", "fewest_vehicles", "proves"]

_BOUNDS: dict[str, Callable[[Any], int]] = {
    "tsp": lambda one: tour_bound(one.distances),
    "cvrp": routes_bound,
    "knapsack": lambda one: dantzig(one.values.tolist(), one.weights.tolist(), one.capacity),
    "binpack": lambda one: fewest_bins(one.weights.tolist(), one.capacity),
    "pfsp": lambda one: flow_shop_bound(one.times),
    "jssp": lambda one: job_shop_bound(one.jobs),
}


def bound(instance: Instance) -> int | None:
    """In the instance's integers. None: no bound is known (all six kinds have one)."""
    return _BOUNDS[instance.kind](instance)


def proves(instance: Instance, objective: int, least: int | None) -> bool:
    """A feasible plan of this objective is optimal, because it meets the bound."""
    return least is not None and objective == least
