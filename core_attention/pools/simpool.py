"""Tokens weighted by their likeness to their own mean: efficient probing with one query, and that the mean (# ours, after SimPool).

Shapes: T tokens of all segments, S segments, D width.
"""

import torch
from torch import Tensor, nn

from core_attention.contract import Pool, PoolSpec
from core_attention.functional import segment_pool, segment_softmax
from core_attention.pools.slots import equal_weights, hide, pool_slices
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.dispatch import autocast_off
from kernels.ragged import segment_of

__all__ = ["SimPool"]


@register_pool
class SimPool(Pool):
    spec = PoolSpec("simpool", needs=frozenset({"none", "full"}), complexity="N D^2", source="after Psomas et al., arXiv 2309.06891")

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = dim
        self.v = nn.Linear(dim, dim, bias=False)
        nn.init.trunc_normal_(self.v.weight, std=0.02)

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        full_TD = x_TD.to(torch.promote_types(x_TD.dtype, torch.float32))
        q_SD = segment_pool(full_TD, equal_weights(full_TD, segments, valid_T), segments.offsets).squeeze(1)
        with autocast_off(x_TD):
            q_TD = q_SD.index_select(0, segment_of(x_TD[:, 0], segments.offsets))
            scores_T1 = (full_TD * q_TD).sum(-1, keepdim=True) * x_TD.shape[1] ** -0.5
        weights_T1 = segment_softmax(hide(scores_T1, valid_T), segments.offsets)
        z_SD = pool_slices(self.v(x_TD).unsqueeze(1), weights_T1, segments)
        return z_SD, weights_T1 if need == "full" else None
