"""Instances of one kind as a batch: named, padded tensors. Padding has no demand, no weight, no time, and is never an allowed action.

| kind | tensors |
| --- | --- |
| tsp | size B, distances B,N,N, xy B,N,2, has_xy B |
| cvrp | as tsp with node 0 the depot (size counts it), demands B,N, capacity B, fleet B (0: free) |
| knapsack | size B, values B,N, weights B,N, capacity B |
| binpack | size B, weights B,N in descending order, ids B,N (where each one stands in the instance), capacity B |
| pfsp | size B (jobs), times B,N,M, machines B |
| jssp | size B (jobs), machine B,J,O, time B,J,O, operations B,J (of each job), machines B |

All are int64 but xy (float32, centred on the bounding box and divided by its longer side) and has_xy (bool).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.accord.instances import Instance

__all__ = ["Pack", "pack"]

Pack = dict[str, Tensor]


def pack(instances: Sequence[Instance]) -> Pack:
    """One kind at a time."""
    kinds = {instance.kind for instance in instances}
    if len(kinds) != 1:
        raise ValueError(f"a pack is of one kind, not {sorted(kinds)}")
    return _PACKERS[kinds.pop()](list(instances))


def _padded(arrays: Sequence[np.ndarray], dtype: torch.dtype = torch.int64, fill: int = 0) -> Tensor:
    shape = tuple(max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True))
    out = torch.full((len(arrays), *shape), fill, dtype=dtype)
    for row, array in zip(out, arrays, strict=True):
        row[tuple(slice(size) for size in array.shape)] = torch.from_numpy(np.array(array)).to(dtype)
    return out


def _numbers(values: Sequence[int]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.int64)


def _unit(xy: np.ndarray | None, count: int) -> np.ndarray:
    if xy is None:
        return np.zeros((count, 2))
    low, high = xy.min(0), xy.max(0)
    return (xy - (low + high) / 2) / (float((high - low).max()) or 1.0)


def _places(instances: Sequence[Any]) -> Pack:
    counts = [len(one.distances) for one in instances]
    return {
        "size": _numbers(counts),
        "distances": _padded([one.distances for one in instances]),
        "xy": _padded([_unit(one.xy, count) for one, count in zip(instances, counts, strict=True)], torch.float32),
        "has_xy": torch.tensor([one.xy is not None for one in instances]),
    }


def _cvrp(instances: Sequence[Any]) -> Pack:
    return _places(instances) | {
        "demands": _padded([one.demands for one in instances]),
        "capacity": _numbers([one.capacity for one in instances]),
        "fleet": _numbers([one.fleet or 0 for one in instances]),
    }


def _knapsack(instances: Sequence[Any]) -> Pack:
    return {
        "size": _numbers([one.size for one in instances]),
        "values": _padded([one.values for one in instances]),
        "weights": _padded([one.weights for one in instances]),
        "capacity": _numbers([one.capacity for one in instances]),
    }


def _binpack(instances: Sequence[Any]) -> Pack:
    ids = [np.argsort(-one.weights, kind="stable") for one in instances]
    return {
        "size": _numbers([one.size for one in instances]),
        "weights": _padded([one.weights[order] for one, order in zip(instances, ids, strict=True)]),
        "ids": _padded(ids, fill=-1),
        "capacity": _numbers([one.capacity for one in instances]),
    }


def _pfsp(instances: Sequence[Any]) -> Pack:
    return {
        "size": _numbers([one.size for one in instances]),
        "times": _padded([one.times for one in instances]),
        "machines": _numbers([one.times.shape[1] for one in instances]),
    }


def _jssp(instances: Sequence[Any]) -> Pack:
    shape = (max(one.size for one in instances), max(len(job) for one in instances for job in one.jobs))
    machine, time = (torch.zeros(len(instances), *shape, dtype=torch.int64) for _ in range(2))
    operations = torch.zeros(len(instances), shape[0], dtype=torch.int64)
    for b, one in enumerate(instances):
        for j, job in enumerate(one.jobs):
            pairs = torch.tensor(job, dtype=torch.int64)
            machine[b, j, : len(job)], time[b, j, : len(job)] = pairs.unbind(1)
            operations[b, j] = len(job)
    return {
        "size": _numbers([one.size for one in instances]),
        "machine": machine,
        "time": time,
        "operations": operations,
        "machines": _numbers([one.machines for one in instances]),
    }


_PACKERS: dict[str, Callable[[Sequence[Any]], Pack]] = {
    "tsp": _places,
    "cvrp": _cvrp,
    "knapsack": _knapsack,
    "binpack": _binpack,
    "pfsp": _pfsp,
    "jssp": _jssp,
}
