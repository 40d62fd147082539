"""Low-rank multi-head attention for pooling: a global context c queries every token, head m by the rank-one score (P c)_m (R x_t)_m.

Only the abstract of the paper was read; the formula is second-hand. Ours: no scale, c learned from a normal start or the mean of the
tokens, and a last projection from the heads' pooled tokens, side by side, to the width.

Shapes: T tokens of all segments, S segments, D width, M heads.
"""

import torch
from torch import Tensor, nn

from core_attention.blocks.init import initialise
from core_attention.contract import Pool, PoolSpec
from core_attention.functional import segment_attend, segment_pool, segment_softmax
from core_attention.pools.slots import clear_empty, equal_weights, hide
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.dispatch import autocast_off
from kernels.ragged import segment_of

__all__ = ["Lama"]


@register_pool
class Lama(Pool):
    spec = PoolSpec("lama", needs=frozenset({"none", "full"}), complexity="2 N D M", source="arXiv 1912.00835 (abstract)")

    def __init__(self, dim: int, heads: int = 8, context: str = "learned") -> None:
        super().__init__()
        if context not in ("learned", "mean"):
            raise ValueError(f"lama: context is learned or mean, not {context!r}")
        if heads < 1:
            raise ValueError(f"lama: heads={heads} is at least 1")
        self.out = dim
        self.c = nn.Parameter(torch.randn(dim)) if context == "learned" else None
        self.p = nn.Linear(dim, heads, bias=False)
        self.r = nn.Linear(dim, heads, bias=False)
        self.proj = nn.Linear(heads * dim, dim)
        initialise(self)

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        if self.c is None:
            c_SD = segment_pool(x_TD, equal_weights(x_TD, segments, valid_T), segments.offsets).squeeze(1)
            query = self.p(c_SD).index_select(0, segment_of(x_TD[:, 0], segments.offsets))
        else:
            query = self.p(self.c)
        with autocast_off(x_TD):
            full = torch.promote_types(x_TD.dtype, torch.float32)
            scores_TM = hide(query.to(full) * self.r(x_TD).to(full), valid_T)
        weights_TM = None
        if need == "full":
            weights_TM = segment_softmax(scores_TM, segments.offsets)
            z_SMD = segment_pool(x_TD, weights_TM, segments.offsets)
        else:
            z_SMD, _ = segment_attend(x_TD, scores_TM, segments.offsets)
        return clear_empty(self.proj(z_SMD.flatten(1)), x_TD, segments, valid_T), weights_TM
