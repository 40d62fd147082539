"""Pair-wise attention: each sample looks at its own tokens and at a partner's, with the weights of a mixer that exists already.

Used in training only, as a disturbance: a random picture (DCAL) or a twin (AHAN). Without it the mixer is as it was.

Shapes: B batch, N tokens of x, A samples and M tokens of the others, D width, H heads, E head width.
"""

import torch
from torch import Tensor

from core_attention.contract import Mixer, PatternError
from core_attention.mixers.heads import Heads
from core_attention.tokens import sanitise
from kernels.dispatch import is_tracing

__all__ = ["paired"]


def paired(
    mixer: Mixer,
    x: Tensor,
    other: Tensor | None = None,
    pair: Tensor | None = None,
    mask: Tensor | None = None,
    other_mask: Tensor | None = None,
    alone: Tensor | None = None,
    detach_other: bool = False,
) -> tuple[Tensor, Tensor]:
    """(y (B,N,D), own mass (B,H,N): the share of attention that stays on the sample's own tokens; it carries no gradient).

    other: the partners' tokens (A,M,D); x itself unless given. pair: whole numbers (B,), sample b's partner is other[pair[b]];
    without it other[b] is. A = 1 without a pair: one partner for all.
    mask, other_mask: bool (B,N) and (A,M), the tokens that may be seen; other_mask only with `other`, else it is `mask`.
    alone: bool (B,), True = no partner this time: plain attention, own mass 1. detach_other: no gradient into the partner.

    >>> y, own = paired(block.attn, block.norm1(x), pair=twin)
    """
    heads = check(mixer, x, other, pair, mask, other_mask, alone)
    if mask is not None:
        x = sanitise(x, mask)
    q_BHNE, k_BHNE, v_BHNE = heads.project(x)
    if other is None:
        k2, v2, seen2 = k_BHNE, v_BHNE, mask
    else:
        if other_mask is not None:
            other = sanitise(other, other_mask)
        _, k2, v2 = heads.project(other)
        seen2 = other_mask
    if detach_other:
        k2, v2 = k2.detach(), v2.detach()
    if pair is not None:
        k2, v2 = k2.index_select(0, pair), v2.index_select(0, pair)
        seen2 = None if seen2 is None else seen2.index_select(0, pair)
    batch = x.shape[0]
    k2, v2 = k2.expand(batch, -1, -1, -1), v2.expand(batch, -1, -1, -1)
    seen2 = None if seen2 is None else seen2[:, None, None]
    if alone is not None:
        with_partner = ~alone[:, None, None, None]
        seen2 = with_partner if seen2 is None else seen2 & with_partner
        seen2 = seen2.expand(batch, 1, 1, k2.shape[2])
    o_BHNE, own_BHN = heads.combine_pair(q_BHNE, k_BHNE, v_BHNE, k2, v2, None if mask is None else mask[:, None, None], seen2)
    return heads.finish(o_BHNE), own_BHN


def check(
    mixer: Mixer,
    x: Tensor,
    other: Tensor | None,
    pair: Tensor | None,
    mask: Tensor | None,
    other_mask: Tensor | None,
    alone: Tensor | None,
) -> Heads:
    """The mixer, if pair-wise attention has a meaning for it."""
    name = mixer.spec.name
    if not isinstance(mixer, Heads):
        raise ValueError(f"{name} has no pair-wise form; softmax has")
    if mixer.causal or mixer.context_dim is not None:
        raise PatternError(f"paired: {name} was built for {'causal' if mixer.causal else 'cross'} attention; a pair needs pattern ns")
    if mixer.attn_drop and mixer.training:
        raise ValueError(f"paired: attn_drop={mixer.attn_drop} has no pair-wise form; build {name} with attn_drop=0")
    if other is None and pair is None:
        raise ValueError("paired: who is the partner? Give pair (an index into the batch), other (the partners' tokens) or both")
    if other is None and other_mask is not None:
        raise ValueError("paired: other_mask belongs to other; the partners out of x have x's mask")
    for what, given in (("mask", mask), ("other_mask", other_mask), ("alone", alone)):
        if given is not None and given.dtype != torch.bool:
            raise TypeError(f"paired: {what} is {given.dtype}; it is bool")
    if not is_tracing():  # there sizes are tensors
        check_shapes(x, other, pair, mask, other_mask, alone)
    return mixer


def check_shapes(
    x: Tensor, other: Tensor | None, pair: Tensor | None, mask: Tensor | None, other_mask: Tensor | None, alone: Tensor | None
) -> None:
    others = x if other is None else other
    if x.ndim != 3 or others.ndim != 3 or x.shape[2] != others.shape[2]:
        raise ValueError(f"paired: x is (B, N, D) and other (A, M, D), not {tuple(x.shape)} and {tuple(others.shape)}")
    for what, given, wanted in (
        ("pair", pair, x.shape[:1]), ("alone", alone, x.shape[:1]),
        ("mask", mask, x.shape[:2]), ("other_mask", other_mask, others.shape[:2]),
    ):  # fmt: skip
        if given is not None and given.shape != wanted:
            raise ValueError(f"paired: {what} is {tuple(wanted)}, not {tuple(given.shape)}")
    if pair is None and others.shape[0] not in (1, x.shape[0]):
        raise ValueError(f"paired: {others.shape[0]} others for {x.shape[0]} samples; say with pair whose partner each is")
