"""Hidden and ragged tokens.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, T tokens of all segments, S segments, L tokens of the longest segment.
"""

import torch
from torch import Tensor

from core_attention.segments import Segments
from kernels.ragged import segment_of

__all__ = ["four_dims", "pad", "places", "sanitise", "unpad", "visible", "with_past"]


def sanitise(x_BND: Tensor, valid_BN: Tensor) -> Tensor:
    """Zeros where not valid, before any projection: 0 * NaN is NaN, forward in the values and backward in the weights."""
    return torch.where(valid_BN.unsqueeze(-1), x_BND, 0.0)


def four_dims(mask: Tensor | None) -> Tensor | None:
    """(B,M), (B,N,M) or (B,1|H,N,M) as (B,1|H,1|N,M)."""
    if mask is None or mask.ndim == 4:
        return mask
    return mask[:, None, None] if mask.ndim == 2 else mask[:, None]


def visible(logits_like_BHNM: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Which pairs may attend, bool (B|1, H|1, N, M); `mask` in four dimensions, a float one hides where it is -inf."""
    n, m = logits_like_BHNM.shape[-2:]
    seen = logits_like_BHNM.new_ones((1, 1, n, m), dtype=torch.bool)
    if causal:
        seen = seen.tril()
    if mask is not None:
        seen = seen & (mask if mask.dtype == torch.bool else mask > -torch.inf)
    return seen


def with_past(mask: Tensor | None, q_BHNE: Tensor, k_BHME: Tensor) -> Tensor:
    """`mask` with all that a causal map hides besides: the keys behind the query's own place."""
    past_NM = q_BHNE.new_ones((q_BHNE.shape[-2], k_BHME.shape[-2]), dtype=torch.bool).tril()
    if mask is None:
        return past_NM
    return mask & past_NM if mask.dtype == torch.bool else mask.masked_fill(~past_NM, -torch.inf)


def places(tokens_T: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """(segment, place within it) of each of T tokens; `tokens_T` is any tensor of that length and only lends it."""
    segment_T = segment_of(tokens_T, segments.offsets)
    index_T = torch.ones_like(segment_T).cumsum(0) - 1  # arange(device=...) would bake the device into a trace
    return segment_T, index_T - segments.offsets[segment_T]


def pad(x_TD: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """The segments side by side: (x (S,L,D) with zeros behind, valid (S,L))."""
    segment_T, place_T = places(x_TD[:, 0], segments)
    slot_T = segment_T * segments.longest + place_T
    x_SLD = x_TD.new_zeros((segments.count * segments.longest, x_TD.shape[1])).index_copy(0, slot_T, x_TD)
    valid_SL = x_TD.new_zeros((segments.count * segments.longest,), dtype=torch.bool).index_fill(0, slot_T, 1)
    shape = (segments.count, segments.longest)
    return x_SLD.reshape(*shape, -1), valid_SL.reshape(*shape)


def unpad(x_SLD: Tensor, segments: Segments, like_TD: Tensor) -> Tensor:
    """Undo `pad`; `like_TD` has the wanted number of tokens."""
    segment_T, place_T = places(like_TD[:, 0], segments)
    return x_SLD.flatten(0, 1).index_select(0, segment_T * segments.longest + place_T)
