"""Instances of every kind for round trips: plain ones, and ones that use every field."""

import numpy as np

from datamodules.accord.checker import check
from datamodules.accord.distances import matrix
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack

XY = np.array([[0, 0], [3, 4], [-2.5, 1e-7], [6, 0.1]])
ONE_WAY = np.array([[0, 12, 7], [5, 0, 30], [9, 1, 0]])
LOADS = np.array([0, 3, 0, 7])


def plain(kind: str, name: str = "mini") -> Instance:
    """One that every format of the kind can hold."""
    return {
        "tsp": TSP(matrix(XY, "EUC_2D"), XY, name, metric="EUC_2D"),
        "cvrp": CVRP(matrix(XY, "EUC_2D"), LOADS, 10, xy=XY, name=name, metric="EUC_2D"),
        "knapsack": Knapsack([6, 5, 9, 2], [4, 3, 7, 3], 10, name),
        "binpack": BinPacking([6, 5, 4, 5, 5], 10, name),
        "pfsp": FlowShop([[2, 3], [1, 4], [0, 9]], name),
        "jssp": JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4)), ((0, 1), (1, 0))), 2, name),
    }[kind]


FULL: dict[str, list[Instance]] = {
    "tsp": [
        TSP(matrix(XY, "real", 10**6), XY, "real one", 123456789, True, 10**6, "real", ("a note",)),
        TSP(ONE_WAY, None, "one-way", 25, False, 100),
        TSP(matrix(XY, "GEO"), XY, "earth", metric="GEO"),
        TSP([[0, 1, 2, 3]] * 4, XY, "drawn"),
        TSP([[0]], name="alone"),
    ],
    "cvrp": [
        CVRP(matrix(XY, "EUC_2D"), LOADS, 10, 3, 5, XY, "mini-k5", 784, True, 1, "EUC_2D"),
        CVRP(matrix(XY, "trunc1", 10), LOADS, 10, None, 2, XY, "two", 99, False, 10, "trunc1"),
        CVRP(ONE_WAY, LOADS[:3], 7, name="times only", scale=1000),
    ],
    "knapsack": [Knapsack([125126, 0], [1, 35], 70, "real", 125126, True, 10, 10**6), Knapsack([], [], 0, "nothing")],
    "binpack": [BinPacking([498, 252, 250], 1000, "t3", 1, True, 10), BinPacking([5, 5], 5, "full", 2)],
    "pfsp": [FlowShop([[25, 0]], "one job", 25, True, 10)],
    "jssp": [JobShop((((2, 15),), ((0, 0), (2, 10), (0, 5))), 4, "uneven", 30, True, 10)],
}


def plan(instance: Instance) -> tuple:
    """A feasible one."""
    if instance.kind == "cvrp":
        made = tuple((customer,) for customer in range(instance.size, 0, -1))
    elif instance.kind == "knapsack":
        made = (1, 3)
    elif instance.kind == "binpack":
        made = ((1, 4), (0, 2), (3,))
    elif instance.kind == "jssp":
        start, rows = 0, []
        for job in instance.jobs:
            rows.append([])
            for _, time in job:
                rows[-1].append(start)
                start += time
        made = tuple(map(tuple, rows))
    else:
        made = tuple(reversed(range(instance.size)))
    assert check(instance, made).feasible
    return made
