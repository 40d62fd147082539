"""tsp and cvrp: points of the unit square, uniform or in clusters. Distances are real ones times 10**6, rounded half up."""

import numpy as np

from datamodules.accord.errors import InvalidInstanceError
from datamodules.accord.instances import CVRP, TSP
from datamodules.accord.synth.draws import Draws

__all__ = ["CAPACITIES", "SCALE", "cvrp", "tsp"]

SCALE = 10**6

# Customers: capacity. 10 to 1000 as in the papers' tables (section 5.3 of the brief); 6, 7, 8 are ours, for tests.
_PAPERS = {10: 20, 15: 25, 20: 30, 30: 33, 40: 37, 50: 40, 60: 43, 75: 45, 100: 50, 125: 55, 150: 60, 200: 70, 500: 100, 1000: 150}
CAPACITIES = {6: 14, 7: 15, 8: 16} | _PAPERS


def tsp(draws: Draws, size: int, dist: str, name: str) -> TSP:
    xy = _points(draws, size, dist)
    return TSP(_distances(xy), xy=xy, name=name, scale=SCALE, metric="real")


def cvrp(draws: Draws, size: int, dist: str, name: str, capacity: float | None) -> CVRP:
    """The depot is uniform, as the customers of the uniform set are. Demands 1..9."""
    if capacity is None and size not in CAPACITIES:
        known = ", ".join(map(str, CAPACITIES))
        raise InvalidInstanceError(
            f"cvrp of {size} customers: the capacity is known for {known} customers; give another one as capacity (generate: --capacity C)"
        )
    holds = CAPACITIES[size] if capacity is None else _whole(capacity)
    xy = np.concatenate([draws.uniform(1, 2), _points(draws, size, dist)])
    demands = np.concatenate([[0], draws.integers(1, 9, size)])
    return CVRP(_distances(xy), demands, holds, xy=xy, name=name, scale=SCALE, metric="real")


def _points(draws: Draws, count: int, dist: str) -> np.ndarray:
    if dist == "uniform":
        return draws.uniform(count, 2)
    # ours, clustered: half of the points around 3 to 8 centres, the others anywhere; what would leave the square stands at its edge
    centres = draws.uniform(draws.integer(3, 8), 2)
    near = centres[draws.integers(0, len(centres) - 1, count)] + 0.05 * draws.bell(count, 2)
    anywhere = draws.uniform(count, 2)
    clustered = draws.permutation(count) < (count + 1) // 2
    return np.where(clustered[:, None], np.clip(near, 0.0, 1.0), anywhere)


def _distances(xy: np.ndarray) -> np.ndarray:
    step = xy[:, None] - xy[None]
    return np.floor(np.sqrt(step[..., 0] * step[..., 0] + step[..., 1] * step[..., 1]) * SCALE + 0.5).astype(np.int64)


def _whole(capacity: float) -> int:
    if capacity != int(capacity):
        raise InvalidInstanceError(f"capacity {capacity:g}: demands are whole numbers, and so is the capacity")
    return int(capacity)
