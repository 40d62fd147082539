"""The readouts that HISTOGRAPH is measured against: of the last state only, or of all states and then the mean of the nodes.

Shapes: N nodes of all graphs, S graphs, L states, D width, K places of a sorted graph.
"""

import torch
from torch import Tensor, nn

from apps.histograph.lstm import Cell, TwoWay
from apps.histograph.node_attention import NodeAttention, graph_max, graph_mean, sizes_of
from apps.histograph.reading import Reading, Readout, last_layer, uniform_nodes
from core_attention.functional import segment_attend, segment_pool, segment_softmax
from core_attention.segments import Segments
from core_attention.tokens import places
from kernels.ragged import segment_of

__all__ = ["Attentional", "DeepSets", "Jumping", "Last", "LastAttended", "LayerMean", "Set2Set", "SetTransformer", "SortPool", "empty_rows"]


class OfLast(Readout):
    """A readout of the last state: `pooled` gives (graphs (S,D), node weights (N,))."""

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def read(self, history_NLC: Tensor, segments: Segments) -> Reading:
        graphs_SD, weights_N = self.pooled(history_NLC[:, -1], segments)
        return Reading(graphs_SD, last_layer(history_NLC, segments), weights_N)


class Last(OfLast):
    """Mean, sum or max of the last state."""

    def __init__(self, dim: int, pool: str) -> None:
        super().__init__()
        self.out, self.pool = dim, pool

    def read_nodes(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        return history_NLC[:, -1], last_layer(history_NLC, segments)

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        weights_N = uniform_nodes(x_ND, segments)
        if self.pool == "max":
            return graph_max(x_ND, segments), weights_N
        mean_SD = graph_mean(x_ND, segments)
        return (mean_SD if self.pool == "mean" else mean_SD * sizes_of(segments, x_ND).unsqueeze(1)), weights_N


class Attentional(OfLast):
    """A gate's softmax over the nodes of each graph (Li et al., arXiv 1511.05493)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim
        self.gate = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        weights_N1 = segment_softmax(self.gate(x_ND), segments.offsets)
        return segment_pool(x_ND, weights_N1, segments.offsets).squeeze(1), weights_N1.squeeze(1)


class DeepSets(OfLast):
    """Zaheer et al., arXiv 1703.06114: an MLP of the sum of an MLP of the nodes."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim
        self.inner = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.outer = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        sum_SD = graph_mean(self.inner(x_ND), segments) * sizes_of(segments, x_ND).unsqueeze(1)
        return empty_rows(self.outer(sum_SD), segments), uniform_nodes(x_ND, segments)


class Set2Set(OfLast):
    """Vinyals et al., arXiv 1511.06391: an LSTM that looks at the nodes three times."""

    STEPS = 3

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = 2 * dim
        self.cell = Cell(2 * dim, dim)

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        segment_N = segment_of(x_ND[:, 0], segments.offsets)
        h_SD = c_SD = read_SD = x_ND.new_zeros((segments.offsets.shape[0] - 1, x_ND.shape[1]))
        score_N1 = x_ND[:, :1]
        for _ in range(self.STEPS):
            h_SD, c_SD = self.cell(torch.cat([h_SD, read_SD], 1), (h_SD, c_SD))
            score_N1 = (x_ND * h_SD.index_select(0, segment_N)).sum(1, keepdim=True)
            read_SD = segment_attend(x_ND, score_N1, segments.offsets)[0].squeeze(1)
        weights_N = segment_softmax(score_N1, segments.offsets).squeeze(1)
        return empty_rows(torch.cat([h_SD, read_SD], 1), segments), weights_N


class SortPool(OfLast):
    """Zhang et al., AAAI 2018: the nodes sorted by their last channel, the first 30 of them through a matrix.

    The original takes the 60th percentile of sizes for 30, and convolutions for the matrix.
    """

    PLACES = 30

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim
        self.mix = nn.Linear(self.PLACES * dim, dim)

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        segment_N, place_N = places(x_ND[:, 0], segments)
        by_value_N = x_ND[:, -1].argsort(descending=True, stable=True)
        order_N = by_value_N.index_select(0, segment_N.index_select(0, by_value_N).argsort(stable=True))
        sorted_ND = x_ND.index_select(0, order_N)
        kept_N = place_N < self.PLACES
        graphs = segments.offsets.shape[0] - 1
        # What does not fit goes to one row more, which is cut off.
        slot_N = torch.where(kept_N, segment_N * self.PLACES + place_N, graphs * self.PLACES)
        rows = x_ND.new_zeros((graphs * self.PLACES + 1, x_ND.shape[1])).index_copy(0, slot_N, sorted_ND)
        flat = rows[: graphs * self.PLACES].reshape(graphs, self.PLACES * x_ND.shape[1])
        return empty_rows(self.mix(flat), segments), uniform_nodes(x_ND, segments)


class SetTransformer(OfLast):
    """Lee et al., arXiv 1810.00825: a block of attention over the nodes, then one learned query reads them."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.out = dim
        self.block = NodeAttention(dim, heads, layer_norm=True)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.seed = nn.Linear(dim, 1)

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        z_ND = self.block(x_ND, segments)
        z_ND = z_ND + self.mlp(z_ND)
        weights_N1 = segment_softmax(self.seed(z_ND), segments.offsets)
        return segment_pool(z_ND, weights_N1, segments.offsets).squeeze(1), weights_N1.squeeze(1)


class LastAttended(OfLast):
    """HISTOGRAPH without its first stage: attention over the nodes of the last state, then their mean."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.out = dim
        self.attend = NodeAttention(dim, heads)

    def pooled(self, x_ND: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        return self.attend.pooled(x_ND, segments)


class Jumping(Readout):
    """Jumping knowledge (Xu et al., arXiv 1806.03536): a node's states by cat, max or an LSTM's attention, then the mean of the nodes."""

    def __init__(self, dim: int, layers: int, how: str) -> None:
        super().__init__()
        self.out, self.how = dim * layers if how == "cat" else dim, how
        self.lstm = TwoWay(dim) if how == "lstm" else None
        self.score = nn.Linear(2 * dim, 1) if how == "lstm" else None

    def read(self, history_NLC: Tensor, segments: Segments) -> Reading:
        x_ND, weights_SL = self.read_nodes(history_NLC, segments)
        return Reading(graph_mean(x_ND, segments), weights_SL, uniform_nodes(x_ND, segments))

    def read_nodes(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        weights_NL = torch.full_like(history_NLC[:, :, 0], 1 / history_NLC.shape[1])
        if self.how == "cat":
            x_ND = history_NLC.flatten(1)
        elif self.how == "max":
            x_ND = history_NLC.amax(1)
        else:
            assert self.lstm is not None
            assert self.score is not None
            weights_NL = self.score(self.lstm(history_NLC)).squeeze(-1).softmax(-1)
            x_ND = (weights_NL.unsqueeze(-1) * history_NLC).sum(1)
        return x_ND, graph_mean(weights_NL, segments)


class LayerMean(Readout):
    """The mean over the states and the nodes."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim

    def read(self, history_NLC: Tensor, segments: Segments) -> Reading:
        mean_ND, weights_SL = self.read_nodes(history_NLC, segments)
        return Reading(graph_mean(mean_ND, segments), weights_SL, uniform_nodes(mean_ND, segments))

    def read_nodes(self, history_NLC: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        weights_NL = torch.full_like(history_NLC[:, :, 0], 1 / history_NLC.shape[1])
        return history_NLC.mean(1), graph_mean(weights_NL, segments)


def empty_rows(x_SD: Tensor, segments: Segments) -> Tensor:
    """Zeros where a graph has no nodes."""
    return x_SD.masked_fill(sizes_of(segments, x_SD).unsqueeze(1) == 0, 0.0)
