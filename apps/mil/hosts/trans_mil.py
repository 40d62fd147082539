"""TransMIL: a class token and the instances through two layers of attention, with position by convolution between (section 2.4).

The answer depends on the order of the instances.

Shapes: T instances of all bags, S bags, U = T + S tokens with class tokens, D width, C classes, H heads.
"""

import torch
from torch import Tensor, nn

from apps.mil.hosts.nystrom import BagAttention
from apps.mil.hosts.output import BagOutput
from apps.mil.hosts.ppeg import Ppeg
from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["TransMil"]


class TransMil(nn.Module):
    def __init__(self, dim: int, outputs: int, heads: int, landmarks: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, dim))
        self.norm1, self.norm2, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn1, self.attn2 = BagAttention(dim, heads, landmarks), BagAttention(dim, heads, landmarks)
        self.position = Ppeg(dim)
        self.head = nn.Linear(dim, outputs)

    def forward(self, z_TD: Tensor, segments: Segments, detail: bool = False) -> BagOutput:
        offsets = segments.offsets
        segment_T = segment_of(z_TD[:, 0], offsets)
        step_S1 = torch.ones_like(offsets).cumsum(0) - 1
        with_cls = Segments(offsets + step_S1, segments.longest + 1, segments.count)
        first_S = with_cls.offsets[:-1]
        own_T = torch.ones_like(segment_T).cumsum(0) + segment_T  # behind the class tokens of its own bag and of those before

        cls_SD = self.cls_token.expand(first_S.shape[0], -1)
        u_UD = torch.cat([z_TD, cls_SD]).new_zeros(z_TD.shape[0] + first_S.shape[0], z_TD.shape[1])
        u_UD = u_UD.index_copy(0, own_T, z_TD).index_copy(0, first_S, cls_SD.to(z_TD.dtype))
        y_UD, attention_UH, part_UD = self.attn1(self.norm1(u_UD), with_cls, detail)
        u_UD = u_UD + y_UD
        u_UD = u_UD.index_copy(0, own_T, self.position(u_UD.index_select(0, own_T), offsets))
        u_UD = u_UD + self.attn2(self.norm2(u_UD), with_cls)[0]
        normed_UD = self.norm(u_UD)
        bag_SD = normed_UD.index_select(0, first_S)
        logits_SC = self.head(bag_SD)
        if attention_UH is None or part_UD is None:
            return BagOutput(logits_SC, bag_SD.unsqueeze(1))
        # By itself (# ours): the instance's own token at the end, read as the class token is.
        return BagOutput(
            logits_SC,
            bag_SD.unsqueeze(1),
            None,
            attention_UH.index_select(0, own_T),
            self.head(part_UD.index_select(0, own_T)),
            self.head(normed_UD.index_select(0, own_T)),
        )
