"""An instance of any kind as one row of integers: what the exported program's `forward` reads.

| kind | row |
| --- | --- |
| tsp | 0, nodes n, 1 with coordinates else 0, n x n distances, (n x 2 coordinates) |
| cvrp | 1, nodes n with the depot first, 1 or 0, capacity, fleet (0: free), n x n distances, n demands, (n x 2 coordinates) |
| knapsack | 2, items n, capacity, n values, n weights |
| binpack | 3, items n, capacity, n weights |
| pfsp | 4, jobs n, machines m, n x m times |
| jssp | 5, jobs n, machines m, for each job: its operations k, k pairs of machine and time |

What follows is padding. Coordinates are whole numbers of any unit: only their ratios count.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.accord.raw_batch import bins, flow_shops, job_shops, places, routes, sacks
from datamodules.accord.instances import KINDS

__all__ = ["row_of", "unpacked"]

GRID = 1_000_000  # coordinates that are not whole become steps of a millionth of the longer side


def row_of(one: Any) -> Tensor:
    """int64 (L,) of an instance."""
    kind = one.kind
    row: list[Any] = [list(KINDS).index(kind), one.size + (kind == "cvrp")]
    if kind in ("tsp", "cvrp"):
        row.append(int(one.xy is not None))
        row += [one.capacity, one.fleet or 0] if kind == "cvrp" else []
        row += one.distances.ravel().tolist()
        row += one.demands.tolist() if kind == "cvrp" else []
        row += [] if one.xy is None else _whole(one.xy).ravel().tolist()
    elif kind in ("knapsack", "binpack"):
        row += [one.capacity, *(one.values.tolist() if kind == "knapsack" else []), *one.weights.tolist()]
    elif kind == "pfsp":
        row += [one.times.shape[1], *one.times.ravel().tolist()]
    else:
        row.append(one.machines)
        for job in one.jobs:
            row += [len(job), *(number for operation in job for number in operation)]
    return torch.tensor(row, dtype=torch.int64)


def _whole(xy: np.ndarray) -> np.ndarray:
    if (xy == np.rint(xy)).all():
        return xy.astype(np.int64)
    low, high = xy.min(0), xy.max(0)
    return np.rint((xy - low) * (GRID / (float((high - low).max()) or 1.0))).astype(np.int64)


def unpacked(row_L: Tensor) -> tuple[int, dict[str, Tensor]]:
    """(the kind's number, a batch of one). Scriptable; a row that is too short is an error."""
    kind, n = int(row_L[0]), int(row_L[1])
    size = row_L[1:2]
    if kind < 0 or kind > 5 or n < 0:
        raise ValueError("a row begins with a kind, 0..5, and a size")
    if kind <= 1:
        at = 3 if kind == 0 else 5
        distances = row_L[at : at + n * n].view(1, n, n)
        at += n * n
        demands = row_L[at : at + n * kind].view(1, n * kind)
        at += n * kind
        count = n if int(row_L[2]) > 0 else 0
        coordinates = row_L[at : at + 2 * count].view(1, count, 2)
        if kind == 0:
            return kind, places(size, distances, coordinates)
        return kind, routes(size, distances, coordinates, demands, row_L[3:4], row_L[4:5])
    if kind == 2:
        return kind, sacks(size, row_L[3 : 3 + n].view(1, n), row_L[3 + n : 3 + 2 * n].view(1, n), row_L[2:3])
    if kind == 3:
        return kind, bins(size, row_L[3 : 3 + n].view(1, n), row_L[2:3])
    m = int(row_L[2])
    if kind == 4:
        return kind, flow_shops(size, row_L[2:3], row_L[3 : 3 + n * m].view(1, n, m))
    counts: list[int] = []
    begins: list[int] = []
    at = 3
    most = 1
    for _ in range(n):
        count = int(row_L[at])
        counts.append(count)
        begins.append(at + 1)
        at += 1 + 2 * count
        most = max(most, count)
    pairs = torch.zeros([1, n, most, 2], dtype=torch.int64, device=row_L.device)
    for j in range(n):
        pairs[0, j, : counts[j]] = row_L[begins[j] : begins[j] + 2 * counts[j]].view(counts[j], 2)
    operations = torch.tensor(counts, dtype=torch.int64, device=row_L.device).view(1, n)
    return kind, job_shops(size, row_L[2:3], operations, pairs[:, :, :, 0], pairs[:, :, :, 1])
