"""Softmax over the keys of two sets together, in plain aten.

Shapes: B batch, H heads, N queries, M keys of the first set, K of the second, S = M + K, D head width, E value width.
"""

import torch
from torch import Tensor

from kernels.attend.reference import weights
from kernels.dispatch import autocast_off

__all__ = ["join_masks", "paired_attention"]


def paired_attention(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Return (output (B,H,N,E), own mass (B,H,N) in at least float32: the share of attention on the first set;
    None unless `need_own`, and it costs something).

    masks: of each set, as of `attend`. A query that may attend to nothing in either set gets zeros and own mass 0.
    The own mass is to be looked at: no gradient flows through it.
    """
    mask = join_masks(q_BHND, k1_BHMD, k2_BHKD, mask1, mask2)
    p_BHNS, _ = weights(q_BHND, torch.cat([k1_BHMD, k2_BHKD], -2), mask, False, scale)
    with autocast_off(q_BHND):
        o_BHNE = p_BHNS @ torch.cat([v1_BHME, v2_BHKE], -2).to(p_BHNS.dtype)
    return o_BHNE.to(v1_BHME.dtype), p_BHNS[..., : k1_BHMD.shape[-2]].sum(-1).detach() if need_own else None


def join_masks(q_BHND: Tensor, k1_BHMD: Tensor, k2_BHKD: Tensor, mask1: Tensor | None, mask2: Tensor | None) -> Tensor | None:
    """One mask over the keys of both sets; float if one of them is."""
    if mask1 is None and mask2 is None:
        return None
    # new_ones and not ones(device=...): a trace would bake the device in
    ones_M, ones_K = (q_BHND.new_ones((k.shape[-2],), dtype=torch.bool) for k in (k1_BHMD, k2_BHKD))
    first = ones_M if mask1 is None else mask1
    second = ones_K if mask2 is None else mask2
    if first.dtype != second.dtype:
        full = torch.promote_types(q_BHND.dtype, torch.float32)
        first, second = (additive(mask, full) for mask in (first, second))
    # All other dimensions become those of both by arithmetic: a trace would have a comparison of sizes built in.
    return torch.cat([spread(first, ones_M, second), spread(second, ones_K, first)], -1)


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -torch.inf)


def spread(mask: Tensor, ones: Tensor, other: Tensor) -> Tensor:
    """`mask` over all its keys and over the other dimensions of `other`."""
    everywhere = torch.ones_like(other[..., :1], dtype=torch.bool) & ones
    return mask & everywhere if mask.dtype == torch.bool else mask.masked_fill(~everywhere, 0.0)
