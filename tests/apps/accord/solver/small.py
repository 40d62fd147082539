"""Small instances of every kind, with numbers of our own."""

import numpy as np

from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack

__all__ = ["ALL", "flow_shop", "job_shop", "places", "routes"]

PLACES = np.array([[0, 0], [30, 5], [62, 11], [58, 40], [33, 52], [7, 47], [21, 25], [44, 23]], float)


def distances(xy: np.ndarray) -> np.ndarray:
    return np.floor(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + 0.5).astype(np.int64)


def places() -> TSP:
    return TSP(distances(PLACES), xy=PLACES, name="eight")


def routes(fleet: int | None = None) -> CVRP:
    return CVRP(distances(PLACES), [0, 4, 3, 6, 5, 2, 4, 3], 10, fleet=fleet, named_fleet=3, xy=PLACES, name="seven-k3")


def flow_shop() -> FlowShop:
    return FlowShop([[5, 9, 8], [9, 3, 10], [9, 4, 5], [4, 8, 8], [7, 2, 3]], name="five")


def job_shop() -> JobShop:
    jobs = (((0, 3), (1, 2), (2, 2)), ((0, 2), (2, 1), (1, 4)), ((1, 4), (2, 3), (0, 1)))
    return JobShop(jobs, 3, name="three")


ALL: dict[str, Instance] = {
    "tsp": places(),
    "cvrp": routes(),
    "knapsack": Knapsack([6, 5, 9, 2, 7], [4, 3, 7, 3, 6], 12, name="sack"),
    "binpack": BinPacking([6, 5, 4, 5, 3, 7, 2], 10, name="bins"),
    "pfsp": flow_shop(),
    "jssp": job_shop(),
}
