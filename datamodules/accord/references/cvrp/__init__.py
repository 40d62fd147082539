"""Routes: savings, local search, exact methods."""

from datamodules.accord.references.cvrp.savings import savings
from datamodules.accord.references.cvrp.search import local, savings_descended, search

__all__ = ["RUNS", "search"]

RUNS = {"savings": savings, "savings_descended": savings_descended, "local": local}
