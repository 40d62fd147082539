"""Which methods the portfolio runs for each kind, in which order, and for how much of the time that is left.

ours, from measured times on one thread (ACCORD brief, sections 3.1 and 6): at these sizes exact search often wins, and then it is used.
Search comes before the network: what is cut early has been searched, however long the limit is.
"""

import sys
from dataclasses import dataclass

from datamodules.accord.instances import Instance

__all__ = ["LOADING", "MODEL", "RECIPES", "RULES", "Stage", "extent"]

MODEL = "model"

# The quick rule of each kind: an answer in milliseconds.
RULES = {"tsp": "nearest", "cvrp": "savings", "knapsack": "density", "binpack": "bfd", "pfsp": "neh", "jssp": "mwkr"}


# Seconds that importing a package may take on two busy cores: with less left, and the package not there yet, others have the time.
LOADING = {"torch": 3.0, "ortools": 3.0, "scipy.optimize": 1.0}


@dataclass(frozen=True)
class Stage:
    method: str
    share: float = 1.0  # of what is left of the limit when its turn comes
    most: int | None = None  # the largest extent it is tried on under a limit; None: any
    freely: int | None = 0  # the largest extent it is tried on where there is no limit, and it must end by itself; None: any; 0: none
    loads: str = ""  # the package that it imports

    def has_turn(self, instance: Instance, limited: bool, left: float) -> bool:
        most = self.most if limited else self.freely
        if most is not None and extent(instance) > most:
            return False
        return self.loads in sys.modules or left >= LOADING.get(self.loads, 0.0)


RECIPES: dict[str, tuple[Stage, ...]] = {
    "tsp": (
        Stage("local", 0.3, freely=None),
        Stage(MODEL, 0.1, freely=None, loads="torch"),
        Stage("exact", most=250, freely=50, loads="scipy.optimize"),  # cutting planes: 50 nodes in a second, 100 in four
        Stage("local"),
    ),
    "cvrp": (
        Stage("exact", 0.5, most=10, freely=10),
        Stage("local", 0.1),
        Stage(MODEL, 0.1, freely=None, loads="torch"),
        Stage("local", freely=None),
    ),
    "knapsack": (
        Stage("exact", 0.8, freely=None),
        Stage(MODEL, 0.5, freely=None, loads="torch"),
        Stage("local", freely=None),
    ),
    "binpack": (
        Stage("local", 0.2, freely=None),
        Stage(MODEL, 0.1, freely=None, loads="torch"),
        Stage("exact", 0.9, freely=50),
        Stage("local"),
    ),
    "pfsp": (
        Stage("exact", 0.3, most=50, loads="ortools"),  # small shops are proven before others have found good plans
        Stage("local", 0.3, freely=None),
        Stage(MODEL, 0.1, freely=None, loads="torch"),
        Stage("exact", 0.7, most=100, freely=50, loads="ortools"),  # CP-SAT proves 10x5 in a second, and seldom 20x5
        Stage("local"),
    ),
    "jssp": (
        Stage("exact", 0.3, most=36, loads="ortools"),
        Stage("local", 0.25, freely=None),
        Stage(MODEL, 0.1, freely=None, loads="torch"),
        Stage("exact", freely=36, loads="ortools"),
        Stage("local"),
    ),
}


def extent(instance: Instance) -> int:
    """How large it is for an exact method: nodes, customers, items; of the shops operations."""
    if instance.kind == "pfsp":
        return instance.times.size  # type: ignore[union-attr]
    if instance.kind == "jssp":
        return sum(len(job) for job in instance.jobs)  # type: ignore[union-attr]
    return instance.size
