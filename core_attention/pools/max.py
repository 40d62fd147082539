"""The largest value of each channel. Where several tokens share it, they share its gradient.

Shapes: T tokens of all segments, S segments, D width.
"""

import torch
from torch import Tensor

from core_attention.contract import Pool, PoolSpec
from core_attention.pools.slots import clear_empty
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.ragged import segment_max, segment_of

__all__ = ["Max"]


@register_pool
class Max(Pool):
    spec = PoolSpec("max", needs=frozenset({"none"}), complexity="N D", source="none")

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        shown_TD = x_TD if valid_T is None else x_TD.masked_fill(~valid_T.unsqueeze(-1), -torch.inf)
        z_SD = segment_max(shown_TD, segment_of(x_TD[:, 0], segments.offsets), segments.offsets)
        return clear_empty(z_SD, x_TD, segments, valid_T), None
