"""Mean, maximum or attention over the instances, and a linear layer on what comes out (section 2.2).

Shapes: T instances of all bags, S bags, D width, C classes.
"""

import torch
from torch import Tensor, nn

from apps.mil.hosts.output import BagOutput
from apps.mil.options import Host
from core_attention.functional import gated_scores, segment_softmax
from core_attention.pools import AbMil, Max, Mean
from core_attention.segments import Segments
from kernels.ragged import segment_of, segment_sum

__all__ = ["Pooled"]


class Pooled(nn.Module):
    def __init__(self, options: Host, outputs: int) -> None:
        super().__init__()
        self.name = options.name
        if options.name == "ab_mil":
            hidden = options.hidden or max(1, options.dim // 4)
            self.pool = AbMil(options.dim, hidden=hidden, gated=options.gated, act=options.act)
        else:
            self.pool = Mean(options.dim) if options.name == "mean" else Max(options.dim)
        self.head = nn.Linear(options.dim, outputs)

    def forward(self, z_TD: Tensor, segments: Segments, detail: bool = False) -> BagOutput:
        attention_T1 = None
        if not detail:
            bag_SD = self.pool(z_TD, segments=segments)
        elif self.name == "ab_mil":
            bag_SD, attention_T1 = self.pool(z_TD, segments=segments, need="full")
        else:
            bag_SD = self.pool(z_TD, segments=segments)
            attention_T1 = self._attention(z_TD, bag_SD, segments)
        logits_SC = self.head(bag_SD)
        if attention_T1 is None:
            return BagOutput(logits_SC, bag_SD.unsqueeze(1))
        return BagOutput(logits_SC, bag_SD.unsqueeze(1), None, attention_T1, self.head(attention_T1.to(z_TD.dtype) * z_TD), self.head(z_TD))

    def scores(self, z_TD: Tensor) -> Tensor:
        """(T,1): what the softmax over a bag is taken of; of the mean, zeros."""
        if self.name == "max":
            raise ValueError("the maximum is taken channel by channel: it has no scores")
        if not isinstance(self.pool, AbMil):
            return torch.zeros_like(z_TD[:, :1])
        V, U, w = self.pool.V, self.pool.U, self.pool.w
        return gated_scores(z_TD, V.weight.T, None if U is None else U.weight.T, w.weight.T, act=self.pool.act)

    def _attention(self, z_TD: Tensor, bag_SD: Tensor, segments: Segments) -> Tensor:
        """Equal for the mean; for the maximum the share of channels that an instance gives (# ours: equal ones share a channel)."""
        if self.name == "mean":
            return segment_softmax(torch.zeros_like(z_TD[:, :1]), segments.offsets)
        segment_T = segment_of(z_TD[:, 0], segments.offsets)
        hit_TD = (z_TD == bag_SD.index_select(0, segment_T)).to(z_TD.dtype)
        ties_SD = segment_sum(hit_TD, segment_T, segments.offsets).clamp(min=1)
        return (hit_TD / ties_SD.index_select(0, segment_T)).mean(1, keepdim=True)
