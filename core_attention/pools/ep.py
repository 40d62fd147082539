"""Efficient probing: several learned queries look at the tokens themselves, without a key projection; each pools its own slice of
the value channels.

Parameters are named as in the authors' code: `cls_token` (the queries), `v`. One head, as there.

Shapes: T tokens of all segments, S segments, D width, K queries, E channels of a slice.
"""

import torch
from torch import Tensor, nn

from core_attention.contract import Pool, PoolSpec
from core_attention.functional import segment_softmax
from core_attention.pools.slots import hide, pool_slices
from core_attention.registry import register_pool
from core_attention.segments import Segments
from kernels.dispatch import autocast_off

__all__ = ["Ep"]


@register_pool
class Ep(Pool):
    """d_out: the answer is dim / d_out wide."""

    spec = PoolSpec("ep", needs=frozenset({"none", "full"}), complexity="N D K + N D^2 / d_out", source="arXiv 2506.10178")

    def __init__(self, dim: int, queries: int = 32, d_out: int = 1) -> None:
        super().__init__()
        if queries < 1 or d_out < 1 or dim % d_out or (dim // d_out) % queries:
            raise ValueError(f"ep: dim={dim} does not divide by d_out={d_out} times queries={queries}")
        self.out = dim // d_out
        self.queries = queries
        self.cls_token = nn.Parameter(torch.randn(1, queries, dim) * 0.02)
        self.v = nn.Linear(dim, self.out, bias=False)
        nn.init.trunc_normal_(self.v.weight, std=0.02)

    def pool(self, x_TD: Tensor, segments: Segments, valid_T: Tensor | None, need: str) -> tuple[Tensor, Tensor | None]:
        full = torch.promote_types(x_TD.dtype, torch.float32)
        with autocast_off(x_TD):
            scores_TK = x_TD.to(full) @ (self.cls_token[0].to(full) * x_TD.shape[1] ** -0.5).T
        weights_TK = segment_softmax(hide(scores_TK, valid_T), segments.offsets)
        z_SO = pool_slices(self.v(x_TD).unflatten(-1, (self.queries, -1)), weights_TK, segments)
        return z_SO, weights_TK if need == "full" else None
