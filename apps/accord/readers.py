"""From an instance's integers to tokens: dimensionless features, and one linear map (ACCORD brief 2.4.2).

A reader answers (features (B,N,F), features of GLOBAL (B,G), which tokens are no padding (B,N), what the kind's bias is made of or None).
Nothing of it changes when all distances, all times, or all weights and the capacity are multiplied by one integer.
Shapes: B instances, N tokens, F and G features, J jobs, K or O machines or operations, D width.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from apps.accord.automata.arithmetic import ratio, real
from apps.accord.bias import relation

__all__ = ["READERS", "BinPackReader", "CVRPReader", "FlowShopReader", "JobShopReader", "KnapsackReader", "TSPReader"]

CELL = 32


class TSPReader(nn.Module):
    """Coordinates; where there are none, distances: the mean one, the shortest that comes in, the three shortest that leave."""

    features = 7
    whole = 1

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        near_BNN, valid_BN = near(batch)
        return places(batch, near_BNN, valid_BN), nothing(valid_BN), valid_BN, near_BNN


class CVRPReader(nn.Module):
    """As tsp, with the demand over the capacity, whether it is the depot, and the way to the depot. GLOBAL: vehicles' loads, nodes."""

    features = 10
    whole = 2

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        near_BNN, valid_BN = near(batch)
        demand_BN = ratio(batch["demands"], batch["capacity"].unsqueeze(1))
        depot_BN = torch.zeros_like(demand_BN)
        depot_BN[:, 0] = 1.0
        features_BNF = torch.cat([places(batch, near_BNN, valid_BN), torch.stack([demand_BN, depot_BN, near_BNN[:, :, 0]], 2)], 2)
        # ours: logarithms, because both grow without bound
        loads_B = ratio(batch["demands"].sum(1), batch["capacity"]).log1p()
        return features_BNF, torch.stack([loads_B, batch["size"].float().log()], 1), valid_BN, near_BNN


class KnapsackReader(nn.Module):
    """Value, weight over capacity, value a weight and its rank. GLOBAL: the capacity over all weights."""

    features = 4
    whole = 1

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        values_BN, weights_BN, capacity_B = batch["values"], batch["weights"], batch["capacity"]
        valid_BN = real(batch["size"], values_BN.shape[1])
        weighty_BN = valid_BN & (weights_BN > 0)
        density_BN = (values_BN.double() / weights_BN.clamp(min=1)).masked_fill(~weighty_BN, 0.0)
        best_B1 = density_BN.amax(1, keepdim=True) if density_BN.shape[1] else density_BN.sum(1, keepdim=True)
        # ours: what weighs nothing is as good as the best; what is heavier than twice the capacity looks like twice the capacity
        relative_BN = torch.where(weighty_BN, density_BN / best_B1.clamp(min=1e-300), valid_BN.double())
        features_BNF = torch.stack(
            [
                ratio(values_BN, values_BN.amax(1, keepdim=True)) if values_BN.shape[1] else values_BN.float(),
                ratio(weights_BN, capacity_B.unsqueeze(1)).clamp(max=2.0),
                relative_BN.float(),
                rank(relative_BN, valid_BN, batch["size"]),
            ],
            2,
        )
        return features_BNF, ratio(capacity_B, weights_BN.sum(1)).clamp(max=2.0).unsqueeze(1), valid_BN, None


class BinPackReader(nn.Module):
    """Weight over capacity and its rank. GLOBAL: bins that all of it would fill."""

    features = 2
    whole = 1

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        weights_BN, capacity_B = batch["weights"], batch["capacity"]
        valid_BN = real(batch["size"], weights_BN.shape[1])
        features_BNF = torch.stack([ratio(weights_BN, capacity_B.unsqueeze(1)), rank(weights_BN.double(), valid_BN, batch["size"])], 2)
        return features_BNF, ratio(weights_BN.sum(1), capacity_B).log1p().unsqueeze(1), valid_BN, None


class FlowShopReader(nn.Module):
    """Each job's cells (time, machine, work before and after) through an MLP, pooled by softmax weights: for any number of machines."""

    features = CELL
    whole = 1

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Sequential(nn.Linear(4, CELL), nn.GELU())
        self.weight = nn.Linear(CELL, 1)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        times_BJK, machines_B = batch["times"], batch["machines"]
        B, J, K = times_BJK.shape
        valid_BJ, there_BK = real(batch["size"], J), real(machines_B, K)
        job_BJ1 = times_BJK.sum(2, keepdim=True)
        before_BJK = times_BJK.cumsum(2) - times_BJK
        place_BK = ratio(torch.arange(K, device=times_BJK.device).expand(B, K), (machines_B - 1).unsqueeze(1))
        cells_BJKC = self.cell(
            torch.stack(
                [
                    ratio(times_BJK, times_BJK.flatten(1).amax(1)[:, None, None]),
                    place_BK.unsqueeze(1).expand(B, J, K),
                    ratio(before_BJK, job_BJ1),
                    ratio(job_BJ1 - before_BJK - times_BJK, job_BJ1),
                ],
                3,
            )
        )
        weight_BJK1 = self.weight(cells_BJKC).masked_fill(~there_BK[:, None, :, None], -torch.inf).softmax(2)
        return (cells_BJKC * weight_BJK1).sum(2), nothing(valid_BJ), valid_BJ, None


class JobShopReader(nn.Module):
    """A token an operation: time, place in the job, work left after it, load of its machine (ours: over the heaviest machine's)."""

    features = 4
    whole = 1

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        time_BJO, machine_BJO, operations_BJ = batch["time"], batch["machine"], batch["operations"]
        B, J, most = time_BJO.shape
        valid_BN = real(operations_BJ.flatten(), most).view(B, J * most)
        job_BJ1 = time_BJO.sum(2, keepdim=True)
        load_BK = torch.zeros([B, int(batch["machines"].max().item())], dtype=torch.int64, device=time_BJO.device)
        load_BK = load_BK.scatter_add(1, machine_BJO.flatten(1), time_BJO.flatten(1))
        share_BN = ratio(load_BK, load_BK.amax(1, keepdim=True)).gather(1, machine_BJO.flatten(1))
        features_BNF = torch.stack(
            [
                ratio(time_BJO, time_BJO.flatten(1).amax(1)[:, None, None]).flatten(1),
                ratio(torch.arange(most, device=time_BJO.device).expand(B, J, most), (operations_BJ - 1).unsqueeze(2)).flatten(1),
                ratio(job_BJ1 - time_BJO.cumsum(2), job_BJ1).flatten(1),
                share_BN,
            ],
            2,
        )
        return features_BNF * valid_BN.unsqueeze(2), nothing(valid_BN), valid_BN, relation(machine_BJO)


READERS: dict[str, Callable[[], Any]] = {
    "tsp": TSPReader,
    "cvrp": CVRPReader,
    "knapsack": KnapsackReader,
    "binpack": BinPackReader,
    "pfsp": FlowShopReader,
    "jssp": JobShopReader,
}


def nothing(valid_BN: Tensor) -> Tensor:
    """(B,1): GLOBAL of kinds that have nothing to tell it."""
    return torch.ones([valid_BN.shape[0], 1], device=valid_BN.device)


def near(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(distances over their mean (B,N,N), which nodes are no padding (B,N))."""
    distances_BNN, size_B = batch["distances"], batch["size"]
    whole_B = distances_BNN.sum(2).sum(1)
    pairs_B = (size_B * (size_B - 1)).double()
    return ratio(distances_BNN * pairs_B[:, None, None], whole_B[:, None, None]), real(size_B, distances_BNN.shape[1])


def places(batch: dict[str, Tensor], near_BNN: Tensor, valid_BN: Tensor) -> Tensor:
    """(B,N,7): x and y, or five distances."""
    has_B11 = batch["has_xy"][:, None, None]
    xy_BN2 = batch["xy"] * has_B11
    if bool(has_B11.all()):
        return torch.nn.functional.pad(xy_BN2, [0, 5])
    N = near_BNN.shape[1]
    itself_NN = torch.eye(N, dtype=torch.bool, device=near_BNN.device)
    others_BNN = near_BNN.masked_fill(itself_NN | ~valid_BN.unsqueeze(1) | ~valid_BN.unsqueeze(2), torch.inf)
    leaving_BN3 = torch.nn.functional.pad(others_BNN, [0, 3], value=float("inf")).topk(3, 2, largest=False).values
    mean_BN1 = near_BNN.sum(2, keepdim=True) / (batch["size"][:, None, None] - 1).clamp(min=1)
    stats_BN5 = torch.cat([mean_BN1, others_BNN.amin(1).unsqueeze(2), leaving_BN3], 2)
    stats_BN5 = stats_BN5.masked_fill(torch.isinf(stats_BN5) | has_B11, 0.0)
    return torch.cat([xy_BN2, stats_BN5], 2)


def rank(values_BN: Tensor, valid_BN: Tensor, size_B: Tensor) -> Tensor:
    """(B,N): the share of the others that are smaller."""
    sorted_BN = values_BN.masked_fill(~valid_BN, torch.inf).sort(1).values
    smaller_BN = torch.searchsorted(sorted_BN, values_BN.contiguous())
    return ratio(smaller_BN, (size_B - 1).unsqueeze(1)) * valid_BN
