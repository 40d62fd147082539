"""What is added to the attention logits for a pair of tokens, per head; the same in all blocks (ACCORD brief 2.4.2).

Laid out as (B, M, H, M) with the query first, so that the row of an entity is one piece of memory. The first row and column are GLOBAL's.
Shapes: B instances, N tokens, M = N + 1, H heads.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["RoutingBias", "ShopBias", "relation"]

HIDDEN = 8


class RoutingBias(nn.Module):
    """-softplus(a_h) d_ij / dmean + MLP_h(d_ij / dmean)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(heads))
        self.bend = nn.Sequential(nn.Linear(1, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, heads))

    def forward(self, near_BNN: Tensor) -> Tensor:
        near_BNN1 = near_BNN.unsqueeze(3)
        bias_BNNH = self.bend(near_BNN1) - nn.functional.softplus(self.slope) * near_BNN1
        return pad(bias_BNNH.transpose(2, 3), [1, 0, 0, 0, 1, 0])


class ShopBias(nn.Module):
    """Four learned scalars: earlier in the same job, later in it, on the same machine, unrelated."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.zeros(4, heads))

    def forward(self, relation_BNN: Tensor) -> Tensor:
        bias_BNNH = self.scalar.index_select(0, relation_BNN.flatten()).unflatten(0, relation_BNN.shape)
        return pad(bias_BNNH.transpose(2, 3), [1, 0, 0, 0, 1, 0])


def relation(machine_BJO: Tensor) -> Tensor:
    """(B,N,N): what operation j (column) is to operation i (row). ours: an operation is on its own machine."""
    _, J, most = machine_BJO.shape
    place_N = torch.arange(J * most, device=machine_BJO.device)
    job_N = place_N // most
    same_job_NN = job_N.unsqueeze(1) == job_N
    machine_BN = machine_BJO.flatten(1)
    found_BNN = torch.where(machine_BN.unsqueeze(2) == machine_BN.unsqueeze(1), 2, 3)
    found_BNN = torch.where(same_job_NN & (place_N < place_N.unsqueeze(1)), 0, found_BNN)
    return torch.where(same_job_NN & (place_N > place_N.unsqueeze(1)), 1, found_BNN)
