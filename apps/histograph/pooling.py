"""Readouts that drop nodes step by step: top-k pooling (Gao and Ji, arXiv 1905.05178) and SAG pooling (Lee et al., arXiv 1904.08082).

Three levels, each a message passing and then the better half of every graph's nodes; a level is read by mean and max, the levels are
added. A dropped node stays in its place and sends nothing: the numbers are those of a graph without it, and no size depends on data.

Shapes: N nodes of all graphs, S graphs, E edges, C channels, D width.
"""

import torch
from torch import Tensor, nn

from apps.histograph.convolutions import gather_sum
from apps.histograph.node_attention import graph_max
from apps.histograph.reading import Reading, Readout, last_layer
from core_attention.functional import segment_pool
from core_attention.segments import Segments
from core_attention.tokens import places
from kernels.ragged import segment_of

__all__ = ["NodeDropping"]


class Neighbours(nn.Module):
    """Own state and the sum of the neighbours that are still there, each through a matrix (GraphConv, arXiv 1810.02244)."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.own = nn.Linear(dim, out)
        self.others = nn.Linear(dim, out, bias=False)

    def forward(self, x_NC: Tensor, edge_index: Tensor, here_N1: Tensor) -> Tensor:
        sent_NC = self.others(x_NC) * here_N1
        return self.own(x_NC) + gather_sum(sent_NC.index_select(0, edge_index[0]), edge_index[1], sent_NC)


class NodeDropping(Readout):
    """by_neighbours: a node's score sees its neighbours (SAG pooling), else its own state alone (top-k pooling)."""

    LEVELS = 3

    def __init__(self, dim: int, by_neighbours: bool) -> None:
        super().__init__()
        self.out, self.by_neighbours = 2 * dim, by_neighbours
        self.convolutions = nn.ModuleList(Neighbours(dim, dim) for _ in range(self.LEVELS))
        self.scores = nn.ModuleList(Neighbours(dim, 1) if by_neighbours else nn.Linear(dim, 1, bias=False) for _ in range(self.LEVELS))

    def read_graph(self, history_NLC: Tensor, segments: Segments, edge_index: Tensor) -> Reading:
        x_ND = history_NLC[:, -1]
        segment_N = segment_of(x_ND[:, 0], segments.offsets)
        here_N1 = torch.ones_like(x_ND[:, :1])
        graphs_SD, weights_N1 = None, torch.zeros_like(here_N1)
        for convolution, score in zip(self.convolutions, self.scores, strict=True):
            x_ND = convolution(x_ND, edge_index, here_N1).relu() * here_N1
            if self.by_neighbours:
                score_N1 = score(x_ND, edge_index, here_N1)
            else:
                score_N1 = score(x_ND) / score.weight.norm()  # type: ignore[operator]
            here_N1 = _better_half(score_N1, here_N1, segments)
            x_ND = x_ND * score_N1.tanh() * here_N1
            count_S1 = segment_pool(here_N1, torch.ones_like(here_N1), segments.offsets).squeeze(1)
            share_N1 = here_N1 / count_S1.clamp(min=1).index_select(0, segment_N)
            mean_SD = segment_pool(x_ND, share_N1, segments.offsets).squeeze(1)
            level_SD = torch.cat([mean_SD, graph_max(x_ND.masked_fill(here_N1 == 0, torch.finfo(x_ND.dtype).min), segments)], 1)
            graphs_SD = level_SD if graphs_SD is None else graphs_SD + level_SD
            weights_N1 = weights_N1 + share_N1 / self.LEVELS
        assert graphs_SD is not None
        return Reading(graphs_SD, last_layer(history_NLC, segments), weights_N1.squeeze(1))


def _better_half(score_N1: Tensor, here_N1: Tensor, segments: Segments) -> Tensor:
    """1 for the higher half (rounded up) of each graph's nodes that are still there, else 0."""
    _, place_N = places(score_N1[:, 0], segments)
    segment_N = segment_of(score_N1[:, 0], segments.offsets)
    ranked_N = score_N1[:, 0].detach().masked_fill(here_N1[:, 0] == 0, -torch.inf)
    by_score_N = ranked_N.argsort(descending=True, stable=True)
    order_N = by_score_N.index_select(0, segment_N.index_select(0, by_score_N).argsort(stable=True))
    left_S = segment_pool(here_N1, torch.ones_like(here_N1), segments.offsets).flatten()
    kept_N = place_N < ((left_S + 1) / 2).floor().index_select(0, segment_N)
    return torch.zeros_like(here_N1).index_copy(0, order_N, kept_N.to(here_N1.dtype).unsqueeze(1))
