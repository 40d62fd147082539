"""Knapsacks: the greedy rule and three exact methods."""

from datamodules.accord.references.knapsack.capacity import dp
from datamodules.accord.references.knapsack.core import core
from datamodules.accord.references.knapsack.density import density
from datamodules.accord.references.knapsack.dominance import dominance
from datamodules.accord.references.knapsack.exact import exact

__all__ = ["RUNS"]

RUNS = {"density": density, "dp": dp, "dominance": dominance, "core": core, "exact": exact}
