"""Knapsacks: the greedy rule, local search and exact methods."""

from datamodules.accord.references.knapsack.capacity import dp
from datamodules.accord.references.knapsack.choice import choice
from datamodules.accord.references.knapsack.core import core
from datamodules.accord.references.knapsack.density import density
from datamodules.accord.references.knapsack.dominance import dominance
from datamodules.accord.references.knapsack.exact import exact
from datamodules.accord.references.knapsack.search import local, search

__all__ = ["RUNS", "search"]

RUNS = {
    "density": density,
    "local": local,
    "dp": dp,
    "dominance": dominance,
    "core": core,
    "exact": exact,
    "cpsat": choice,
}
