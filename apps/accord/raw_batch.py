"""A batch as `pack` makes it, from plain tensors alone: what the exported program begins with. Scriptable.

B instances, N nodes or items, J jobs, K machines, O operations. Sizes say how many of N or J are no padding.
"""

import torch
from torch import Tensor

__all__ = ["bins", "flow_shops", "job_shops", "places", "routes", "sacks"]


def places(size_B: Tensor, distances_BNN: Tensor, coordinates_BN2: Tensor) -> dict[str, Tensor]:
    """tsp. Coordinates of any unit; (B,0,2) where there are none."""
    B, N = distances_BNN.shape[0], distances_BNN.shape[1]
    there_BN1 = (torch.arange(N, device=size_B.device) < size_B.unsqueeze(1)).unsqueeze(2)
    known = coordinates_BN2.shape[1] == N
    xy_BN2 = coordinates_BN2.double() if known else torch.zeros([B, N, 2], dtype=torch.float64, device=size_B.device)
    high_B12 = xy_BN2.masked_fill(~there_BN1, -torch.inf).amax(1, keepdim=True)
    low_B12 = xy_BN2.masked_fill(~there_BN1, torch.inf).amin(1, keepdim=True)
    side_B11 = (high_B12 - low_B12).amax(2, keepdim=True)
    unit_BN2 = (xy_BN2 - (low_B12 + high_B12) / 2) / side_B11.masked_fill(side_B11 == 0, 1.0)
    return {
        "size": size_B,
        "distances": distances_BNN,
        "xy": unit_BN2.masked_fill(~there_BN1, 0.0).float(),
        "has_xy": torch.full([B], known, dtype=torch.bool, device=size_B.device),
    }


def routes(
    size_B: Tensor, distances_BNN: Tensor, coordinates_BN2: Tensor, demands_BN: Tensor, capacity_B: Tensor, fleet_B: Tensor
) -> dict[str, Tensor]:
    """cvrp. Node 0 is the depot, and the size counts it. Fleet 0: free."""
    batch = places(size_B, distances_BNN, coordinates_BN2)
    batch["demands"], batch["capacity"], batch["fleet"] = demands_BN, capacity_B, fleet_B
    return batch


def sacks(size_B: Tensor, values_BN: Tensor, weights_BN: Tensor, capacity_B: Tensor) -> dict[str, Tensor]:
    return {"size": size_B, "values": values_BN, "weights": weights_BN, "capacity": capacity_B}


def bins(size_B: Tensor, weights_BN: Tensor, capacity_B: Tensor) -> dict[str, Tensor]:
    """The automaton wants the largest first; `ids` are where each one stands in the instance."""
    there_BN = torch.arange(weights_BN.shape[1], device=size_B.device) < size_B.unsqueeze(1)
    ids_BN = torch.argsort(weights_BN.masked_fill(~there_BN, -1), stable=True, dim=1, descending=True)
    weights_BN = weights_BN.masked_fill(~there_BN, 0).gather(1, ids_BN)
    return {"size": size_B, "weights": weights_BN, "ids": ids_BN.masked_fill(~there_BN, -1), "capacity": capacity_B}


def flow_shops(size_B: Tensor, machines_B: Tensor, times_BJK: Tensor) -> dict[str, Tensor]:
    return {"size": size_B, "machines": machines_B, "times": times_BJK}


def job_shops(size_B: Tensor, machines_B: Tensor, operations_BJ: Tensor, machine_BJO: Tensor, time_BJO: Tensor) -> dict[str, Tensor]:
    return {"size": size_B, "machines": machines_B, "operations": operations_BJ, "machine": machine_BJO, "time": time_BJO}
