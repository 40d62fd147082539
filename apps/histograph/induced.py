"""Attention over the nodes of large graphs by way of a few learned points, as the Set Transformer's ISAB (arXiv 1810.00825): O(N m D).

The paper names an appendix on large graphs that we could not read: this is our choice.
The points read the graph, the nodes read the points.

Shapes: N nodes of all graphs, S graphs, L nodes of the largest, D width, H heads, M points.
"""

import torch
from torch import Tensor, nn

from apps.histograph.node_attention import graph_mean
from core_attention.functional import attention_weights
from core_attention.mixers.softmax import Softmax
from core_attention.segments import Segments
from core_attention.tokens import four_dims, pad, unpad

__all__ = ["InducedAttention"]


class InducedAttention(nn.Module):
    """As NodeAttention: `forward` gives nodes (N,D), `pooled` means (S,D) and how much the points look at each node (N,)."""

    def __init__(self, dim: int, heads: int, points: int = 16, layer_norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if points < 1:
            raise ValueError(f"InducedAttention: points is at least 1, not {points}")
        self.points_MD = nn.Parameter(torch.empty(points, dim))
        nn.init.xavier_uniform_(self.points_MD)
        self.read = Softmax(dim, heads, context_dim=dim)
        self.write = Softmax(dim, heads, context_dim=dim)
        self.norm = nn.LayerNorm(dim) if layer_norm else None
        self.drop = nn.Dropout(dropout)

    def forward(self, h_ND: Tensor, segments: Segments) -> Tensor:
        _refuse_export()
        h_SLD, valid_SL = pad(h_ND, segments)
        points_SMD = self.points_MD.expand(valid_SL.shape[0], -1, -1)
        points_SMD = points_SMD + self.read(points_SMD, h_SLD, mask=valid_SL)
        z_ND = h_ND + self.drop(unpad(self.write(h_SLD, points_SMD), segments, h_ND))
        return z_ND if self.norm is None else self.norm(z_ND)

    def pooled(self, h_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        _refuse_export()
        h_SLD, valid_SL = pad(h_ND, segments)
        points_SMD = self.points_MD.expand(valid_SL.shape[0], -1, -1)
        q_SHME, k_SHLE, _ = self.read.project(points_SMD, h_SLD)
        p_SHML, _ = attention_weights(q_SHME, k_SHLE, four_dims(valid_SL), False)
        w_N1 = unpad(p_SHML.mean((1, 2)).unsqueeze(-1), segments, h_ND)
        return graph_mean(self(h_ND, segments), segments), w_N1.squeeze(1)


def _refuse_export() -> None:
    if torch.compiler.is_exporting():
        raise ValueError("induced attention pads to the largest graph, a size that torch.export cannot leave open")
