"""Message passing in plain torch: one layer each of GCN, GIN, GINE, SAGE, GAT and GCNII, and GCN's mean alone.

An edge (row, column) sends from row to column.

Shapes: N nodes, E edges, D width, F width of edge features, H heads, W head width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

__all__ = ["CONVOLUTIONS", "Gat", "Gcn", "Gcnii", "Gin", "Gine", "Sage", "Smooth", "gather_sum"]


def gather_sum(message_ED: Tensor, target_E: Tensor, like_ND: Tensor) -> Tensor:
    """The sum of the messages that each node receives; zeros where there is none."""
    return message_ED.new_zeros((like_ND.shape[0], *message_ED.shape[1:])).index_add(0, target_E, message_ED)


def in_degree(target_E: Tensor, like_ND: Tensor) -> Tensor:
    return gather_sum(torch.ones_like(target_E, dtype=like_ND.dtype), target_E, like_ND)


def smoothed(x_ND: Tensor, edge_index: Tensor) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 x."""
    scale_N1 = (in_degree(edge_index[1], x_ND) + 1).rsqrt().unsqueeze(1)
    scaled_ND = x_ND * scale_N1
    return scale_N1 * (gather_sum(scaled_ND.index_select(0, edge_index[0]), edge_index[1], x_ND) + scaled_ND)


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(dim), nn.ReLU(), nn.Linear(dim, dim))


class Gcn(nn.Module):
    """Kipf and Welling, arXiv 1609.02907."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(dim))
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        return smoothed(self.linear(x_ND), edge_index) + self.bias


class Gin(nn.Module):
    """Xu et al., arXiv 1810.00826: MLP((1 + eps) x + the sum of the neighbours)."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = _mlp(dim)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        return self.mlp((1 + self.eps) * x_ND + gather_sum(x_ND.index_select(0, edge_index[0]), edge_index[1], x_ND))


class Gine(nn.Module):
    """Hu et al., arXiv 1905.12265: as GIN, a message being ReLU(neighbour + embedded edge)."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        if edge_dim < 1:
            raise ValueError("backbone gine reads edge features, and these graphs have none; take gin")
        self.edge = nn.Linear(edge_dim, dim)
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = _mlp(dim)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        message_ED = (x_ND.index_select(0, edge_index[0]) + self.edge(edge_EF)).relu()
        return self.mlp((1 + self.eps) * x_ND + gather_sum(message_ED, edge_index[1], x_ND))


class Sage(nn.Module):
    """Hamilton et al., arXiv 1706.02216: own state and the mean of the neighbours, each through a matrix."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        self.own = nn.Linear(dim, dim)
        self.others = nn.Linear(dim, dim, bias=False)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        count_N1 = in_degree(edge_index[1], x_ND).clamp(min=1).unsqueeze(1)
        mean_ND = gather_sum(x_ND.index_select(0, edge_index[0]), edge_index[1], x_ND) / count_N1
        return self.own(x_ND) + self.others(mean_ND)


class Gat(nn.Module):
    """Velickovic et al., arXiv 1710.10903, with four heads and each node among its own neighbours."""

    HEADS = 4

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        if dim % self.HEADS:
            raise ValueError(f"backbone gat has {self.HEADS} heads; width {dim} does not divide by that")
        self.linear = nn.Linear(dim, dim, bias=False)
        self.source_HW = nn.Parameter(torch.empty(self.HEADS, dim // self.HEADS))
        self.target_HW = nn.Parameter(torch.empty(self.HEADS, dim // self.HEADS))
        self.bias = nn.Parameter(torch.zeros(dim))
        for weight in (self.linear.weight, self.source_HW, self.target_HW):
            nn.init.xavier_uniform_(weight)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        v_NHW = self.linear(x_ND).unflatten(1, self.source_HW.shape)
        source_NH, target_NH = (v_NHW * self.source_HW).sum(-1), (v_NHW * self.target_HW).sum(-1)
        logit_EH = leaky_relu(source_NH.index_select(0, edge_index[0]) + target_NH.index_select(0, edge_index[1]), 0.2)
        own_NH = leaky_relu(source_NH + target_NH, 0.2)
        index_EH = edge_index[1].unsqueeze(1).expand_as(logit_EH)
        top_NH = own_NH.detach().scatter_reduce(0, index_EH, logit_EH.detach(), "amax")
        e_EH, own_NH = (logit_EH - top_NH.index_select(0, edge_index[1])).exp(), (own_NH - top_NH).exp()
        sum_NH = gather_sum(e_EH, edge_index[1], own_NH) + own_NH
        message_EHW = e_EH.unsqueeze(-1) * v_NHW.index_select(0, edge_index[0])
        y_NHW = (gather_sum(message_EHW, edge_index[1], v_NHW) + own_NH.unsqueeze(-1) * v_NHW) / sum_NH.unsqueeze(-1)
        return y_NHW.flatten(1) + self.bias


class Gcnii(nn.Module):
    """Chen et al., arXiv 2007.02133: initial residual (alpha 0.1) and identity mapping (theta 0.5), for deep networks."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)
        nn.init.xavier_uniform_(self.linear.weight)
        self.beta = math.log(0.5 / layer + 1)

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        mixed_ND = 0.9 * smoothed(x_ND, edge_index) + 0.1 * first_ND
        return (1 - self.beta) * mixed_ND + self.beta * self.linear(mixed_ND)


class Smooth(nn.Module):
    """GCN's mean over a node and its neighbours, and nothing that is learned (as in Wu et al., arXiv 1902.07153)."""

    def __init__(self, dim: int, edge_dim: int, layer: int) -> None:
        super().__init__()

    def forward(self, x_ND: Tensor, edge_index: Tensor, edge_EF: Tensor, first_ND: Tensor) -> Tensor:
        return smoothed(x_ND, edge_index)


CONVOLUTIONS: dict[str, type[nn.Module]] = {
    "gin": Gin, "gine": Gine, "gcn": Gcn, "sage": Sage, "gat": Gat, "gcnii": Gcnii, "smooth": Smooth,
}  # fmt: skip
