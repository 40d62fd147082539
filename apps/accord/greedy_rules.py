"""The greedy rule of each kind: the trivial answer that a network is measured against (ACCORD brief section 6)."""

import numpy as np

from datamodules.accord.instances import TSP, Instance
from datamodules.accord.references import METHODS
from datamodules.accord.references.tsp.construct import nearest_order

__all__ = ["RULES", "rule"]

RULES = {"tsp": "nearest from node 0", "cvrp": "savings", "knapsack": "density", "binpack": "ffd", "pfsp": "neh", "jssp": "mwkr"}


def rule(instance: Instance) -> int:
    """The objective of the rule's plan."""
    if isinstance(instance, TSP):  # METHODS has the best of all starts, which is several answers
        order = nearest_order(instance.distances, np.zeros(1, np.int64))
        return int(instance.distances[order, np.roll(order, -1)].sum())
    objective = METHODS[instance.kind][RULES[instance.kind]](instance).objective
    assert objective is not None  # a rule always finds a plan
    return objective
