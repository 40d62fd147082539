"""Which methods the portfolio runs for each kind, in which order, and for how much of the time that is left.

ours, from measured times on one thread (ACCORD brief, sections 3.1 and 6): at these sizes exact search often wins, and then it is used.
"""

from dataclasses import dataclass

from datamodules.accord.instances import Instance

__all__ = ["MODEL", "RECIPES", "RULES", "Stage", "extent"]

MODEL = "model"

# The quick rule of each kind: an answer in milliseconds.
RULES = {"tsp": "nearest", "cvrp": "savings", "knapsack": "density", "binpack": "bfd", "pfsp": "neh", "jssp": "mwkr"}


@dataclass(frozen=True)
class Stage:
    method: str
    share: float = 1.0  # of what is left of the limit when its turn comes
    most: int | None = None  # the largest extent it is tried on under a limit; None: any
    freely: int | None = 0  # the largest extent it is tried on where there is no limit, and it must end by itself; None: any; 0: none


RECIPES: dict[str, tuple[Stage, ...]] = {
    "tsp": (
        Stage("held_karp", 0.5, most=12, freely=12),
        Stage(MODEL, 0.2, freely=None),
        Stage("cpsat", 0.5, most=25),
        Stage("local", freely=None),
    ),
    "cvrp": (
        Stage(MODEL, 0.2, freely=None),
        Stage("cpsat", 0.3, most=9),
        Stage("local", freely=None),
    ),
    "knapsack": (
        Stage("exact", 0.8, freely=None),
        Stage(MODEL, 0.5, freely=None),
        Stage("local", freely=None),
    ),
    "binpack": (
        Stage(MODEL, 0.1, freely=None),
        Stage("local", 0.3, freely=None),
        Stage("exact", 0.9, freely=20),
        Stage("local"),
    ),
    "pfsp": (
        Stage(MODEL, 0.1, freely=None),
        Stage("local", 0.3, freely=None),
        Stage("cpsat", 0.5, most=60),
        Stage("local"),
    ),
    "jssp": (
        Stage(MODEL, 0.1, freely=None),
        Stage("local", 0.3, freely=None),
        Stage("cpsat", 0.9, freely=36),
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
