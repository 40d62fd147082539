"""binpack: Falkenauer's uniform items and triplets, and sets like Scholl's first."""

import numpy as np

from datamodules.accord.errors import InvalidInstanceError
from datamodules.accord.instances import BinPacking
from datamodules.accord.synth.draws import Draws

__all__ = ["binpack"]


def binpack(draws: Draws, size: int, dist: str, name: str, capacity: float | None) -> BinPacking:
    if capacity is not None and capacity != int(capacity):
        raise InvalidInstanceError(f"capacity {capacity:g}: sizes are whole numbers, and so is the capacity")
    given = None if capacity is None else int(capacity)
    if dist == "triplets":
        return _triplets(draws, size, name, given)
    if dist == "scholl":
        # Scholl's first set: bins of 100, 120 or 150, sizes from 1, 20 or 30 to 100
        drawn, least = (100, 120, 150)[draws.integer(0, 2)], (1, 20, 30)[draws.integer(0, 2)]
        return BinPacking(draws.integers(least, 100, size), drawn if given is None else given, name=name)
    return BinPacking(draws.integers(20, 100, size), 150 if given is None else given, name=name)


def _triplets(draws: Draws, size: int, name: str, capacity: int | None) -> BinPacking:
    """Three items a bin, every bin full, so the optimum is known: 38.0 to 49.0, then 25.0 to half of what is left, then the rest."""
    if size % 3:
        raise InvalidInstanceError(f"triplets of {size} items: the number must be a multiple of 3")
    if capacity not in (None, 1000):
        raise InvalidInstanceError(f"capacity {capacity}: triplets fill bins of 1000 (100.0 with one decimal); leave it out")
    first = draws.integers(380, 490, size // 3)
    left = 1000 - first
    span = (left - 1) // 2 - 250 + 1
    second = 250 + np.floor(draws.uniform(size // 3) * span).astype(np.int64)
    sizes = np.concatenate([first, second, left - second])[draws.permutation(size)]
    return BinPacking(sizes, 1000, name=name, best=size // 3, proven=True, scale=10)
