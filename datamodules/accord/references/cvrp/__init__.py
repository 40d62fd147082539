"""Routes: savings, local search, exact methods."""

from datamodules.accord.references.cvrp.circuits import circuits
from datamodules.accord.references.cvrp.exact import exact
from datamodules.accord.references.cvrp.savings import savings
from datamodules.accord.references.cvrp.search import local, savings_descended, search
from datamodules.accord.references.cvrp.subsets import subsets
from datamodules.accord.references.routing import routing

__all__ = ["RUNS", "search"]

RUNS = {
    "savings": savings,
    "savings_descended": savings_descended,
    "local": local,
    "dp": subsets,
    "exact": exact,
    "cpsat": circuits,
    "routing": routing,
}
