"""The greedy rule of each kind: the trivial answer that a network is measured against."""

from datamodules.accord.instances import Instance
from datamodules.accord.references import METHODS

__all__ = ["RULES", "rule"]

RULES = {"tsp": "nearest", "cvrp": "savings", "knapsack": "density", "binpack": "ffd", "pfsp": "neh", "jssp": "mwkr"}


def rule(instance: Instance) -> int:
    """The objective of the rule's plan."""
    objective = METHODS[instance.kind][RULES[instance.kind]](instance).objective
    assert objective is not None  # a rule needs no luck
    return objective
