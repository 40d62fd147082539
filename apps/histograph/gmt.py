"""The Graph Multiset Transformer (Baek et al., arXiv 2102.11533): learned seeds read the nodes, look at each other, one reads the seeds.

Shapes: N nodes of all graphs, S graphs, K seeds, D width, H heads, E head width.
"""

import torch
from torch import Tensor, nn

from apps.histograph.baselines import empty_rows
from apps.histograph.convolutions import Gcn
from apps.histograph.reading import Reading, Readout, last_layer
from core_attention.functional import segment_attend, segment_softmax
from core_attention.mixers.softmax import Softmax
from core_attention.segments import Segments

__all__ = ["Gmt"]


class Gmt(Readout):
    """Keys and values of the first pooling come from message passing, as in the paper.

    The paper takes a quarter of the mean size of a set's graphs for the number of seeds; here it is 8 (ours: about that for molecules).
    """

    SEEDS = 8

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"readout gmt: width {dim} does not divide by readout.heads={heads}")
        self.out, self.heads = dim, heads
        self.seeds_KD = nn.Parameter(torch.empty(self.SEEDS, dim))
        nn.init.xavier_uniform_(self.seeds_KD)
        self.query = nn.Linear(dim, dim)
        self.key, self.value = Gcn(dim, 0, 1), Gcn(dim, 0, 1)
        self.pool, self.self_attention, self.last = (_Block(dim) for _ in range(3))
        self.among = Softmax(dim, heads)
        self.seed_1D = nn.Parameter(torch.empty(1, dim))
        nn.init.xavier_uniform_(self.seed_1D)
        self.from_seeds = Softmax(dim, heads, context_dim=dim)

    def read_graph(self, history_NLC: Tensor, segments: Segments, edge_index: Tensor) -> Reading:
        x_ND, width = history_NLC[:, -1], self.out // self.heads
        none = x_ND[:0]
        q_KD = self.query(self.seeds_KD)
        k_ND, v_ND = (make(x_ND, edge_index, none, x_ND) for make in (self.key, self.value))
        reads, looks = [], []
        for head in range(self.heads):
            own = slice(head * width, (head + 1) * width)
            scores_NK = k_ND[:, own] @ q_KD[:, own].T * width**-0.5
            reads.append(segment_attend(v_ND[:, own], scores_NK, segments.offsets)[0])  # (S,K,E)
            looks.append(segment_softmax(scores_NK, segments.offsets).mean(1))
        z_SKD = self.pool(self.seeds_KD, torch.cat(reads, -1))
        z_SKD = self.self_attention(z_SKD, self.among(z_SKD))
        seed_S1D = self.seed_1D + torch.zeros_like(z_SKD[:, :1])
        graphs_SD = self.last(seed_S1D, self.from_seeds(seed_S1D, z_SKD)).squeeze(1)
        return Reading(empty_rows(graphs_SD, segments), last_layer(history_NLC, segments), torch.stack(looks).mean(0))


class _Block(nn.Module):
    """LayerNorm(h + rFF(h)) with h = LayerNorm(x + attention), as in the Set Transformer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        h = self.first(x + attended)
        return self.second(h + self.mlp(h))
