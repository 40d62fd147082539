"""Which distributions there are by kind, and instances of them."""

from datamodules.accord.distances import MANY
from datamodules.accord.errors import InvalidInstanceError
from datamodules.accord.instances import KINDS, Instance
from datamodules.accord.synth.bins import binpack
from datamodules.accord.synth.draws import Draws
from datamodules.accord.synth.places import cvrp, tsp
from datamodules.accord.synth.sacks import CLASSES, knapsack
from datamodules.accord.synth.shops import jssp, pfsp

__all__ = ["DISTRIBUTIONS", "SIZES", "Size", "generate", "size_text"]

Size = int | tuple[int, int]  # (jobs, machines) of a shop

# By kind; the first is the usual one.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "tsp": ("uniform", "clustered"),
    "cvrp": ("uniform", "clustered"),
    "knapsack": ("uniform", *CLASSES),
    "binpack": ("falkenauer", "triplets", "scholl"),
    "pfsp": ("uniform", "taillard"),
    "jssp": ("uniform", "taillard"),
}

# The budgets of section 3.5 of the brief.
SIZES: dict[str, dict[str, Size]] = {
    "smoke": {"tsp": 8, "cvrp": 7, "knapsack": 8, "binpack": 8, "pfsp": (4, 3), "jssp": (4, 3)},
    "tiny": {"tsp": 20, "cvrp": 20, "knapsack": 50, "binpack": 20, "pfsp": (10, 5), "jssp": (6, 6)},
    "small": {"tsp": 50, "cvrp": 50, "knapsack": 100, "binpack": 50, "pfsp": (20, 5), "jssp": (10, 10)},
}


def generate(
    kind: str, count: int, size: Size, seed: int = 0, dist: str | None = None, *, first: int = 0, capacity: float | None = None
) -> list[Instance]:
    """Instances first, first + 1, ... of a seed: none depends on how many are asked for.

    size: nodes, customers, items, or (jobs, machines). dist: one of DISTRIBUTIONS. capacity: of vehicles, the knapsack or bins, in place
    of the distribution's own.
    """
    if kind not in KINDS:
        raise InvalidInstanceError(f"kind {kind!r} is not known; there are {', '.join(KINDS)}")
    dist = DISTRIBUTIONS[kind][0] if dist is None else dist
    if dist not in DISTRIBUTIONS[kind]:
        raise InvalidInstanceError(f"dist {dist!r} of {kind} is not known; there are {', '.join(DISTRIBUTIONS[kind])}")
    if count < 0 or first < 0 or not 0 <= seed < 1 << 64:
        raise InvalidInstanceError(f"count {count}, first {first}, seed {seed}: none may be negative, nor a seed 2**64 or above")
    return [_one(kind, _size(kind, size), seed, index, dist, capacity) for index in range(first, first + count)]


def size_text(size: Size) -> str:
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _size(kind: str, size: Size) -> Size:
    shop = kind in ("pfsp", "jssp")
    if isinstance(size, int) == shop or (isinstance(size, tuple) and len(size) != 2):
        wanted = "(jobs, machines)" if shop else "one number"
        raise InvalidInstanceError(f"size {size!r} of {kind}: {wanted} is needed")
    if min(size if isinstance(size, tuple) else (size,)) < 1:
        raise InvalidInstanceError(f"size {size_text(size)} of {kind}: at least 1 is needed")
    if kind in ("tsp", "cvrp") and isinstance(size, int) and size > MANY:
        raise InvalidInstanceError(f"size {size:,} of {kind}: at most {MANY:,}, as the matrix of distances is held in memory")
    return size


def _one(kind: str, size: Size, seed: int, index: int, dist: str, capacity: float | None) -> Instance:
    draws = Draws(seed, index, list(KINDS).index(kind))
    name = f"{kind}{size_text(size)}-{dist}-{seed}-{index}"
    if isinstance(size, int) and kind in ("cvrp", "knapsack", "binpack"):
        return {"cvrp": cvrp, "knapsack": knapsack, "binpack": binpack}[kind](draws, size, dist, name, capacity)
    if capacity is not None:
        raise InvalidInstanceError(f"capacity {capacity:g}: {kind} has none; leave it out")
    if isinstance(size, int):
        return tsp(draws, size, dist, name)
    return (pfsp if kind == "pfsp" else jssp)(draws, size, dist, name)
