"""DSMIL: each class attends from its most convincing instance (section 2.3).

Shapes: T instances of all bags, S bags, D width, C classes, E width of queries.
"""

import torch
from torch import Tensor, nn

from apps.mil.hosts.output import BagOutput
from core_attention.functional import segment_pool, segment_softmax
from core_attention.segments import Segments
from kernels.ragged import segment_max, segment_of

__all__ = ["DsMil"]

QUERY = 128


class DsMil(nn.Module):
    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.instance = nn.Linear(dim, outputs)
        self.query = nn.Sequential(nn.Linear(dim, QUERY), nn.ReLU(), nn.Linear(QUERY, QUERY), nn.Tanh())
        self.value = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.head = nn.Conv1d(outputs, outputs, kernel_size=dim)

    def forward(self, z_TD: Tensor, segments: Segments, detail: bool = False) -> BagOutput:
        offsets = segments.offsets
        p_TC = self.instance(z_TD)
        segment_T = segment_of(z_TD[:, 0], offsets)
        top_SC = segment_max(p_TC, segment_T, offsets)
        critical_SC = self.critical(p_TC, top_SC, segment_T)
        q_TE = self.query(z_TD)
        q_SCE = q_TE[critical_SC]
        scores_TC = torch.einsum("te,tce->tc", q_TE, q_SCE.index_select(0, segment_T)) * QUERY**-0.5
        attention_TC = segment_softmax(scores_TC, offsets)
        bag_SCD = segment_pool(self.value(z_TD), attention_TC, offsets)
        logits_SC = self.head(bag_SCD).squeeze(-1)
        if not detail:
            return BagOutput(logits_SC, bag_SCD, top_SC)
        return BagOutput(logits_SC, bag_SCD, top_SC, attention_TC, p_TC, p_TC)

    def critical(self, p_TC: Tensor, top_SC: Tensor, segment_T: Tensor) -> Tensor:
        """(S,C): the instance with the highest logit of each class, the first of equals."""
        index_T1 = (torch.ones_like(segment_T).cumsum(0) - 1).unsqueeze(-1)
        last = index_T1.amax()
        index_TC = torch.where(p_TC == top_SC.index_select(0, segment_T), index_T1, last)
        first_SC = torch.zeros_like(top_SC, dtype=torch.int64) + last
        return first_SC.scatter_reduce(0, segment_T.unsqueeze(-1).expand_as(index_TC), index_TC, "amin")
