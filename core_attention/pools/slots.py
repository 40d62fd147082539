"""What pools share: tokens that do not count, samples that have none, and rows of weights that pool a slice of the channels each.

Shapes: T tokens of all segments, S segments, D width, K rows of weights, E channels of a slice, O width of the answer.
"""

import torch
from torch import Tensor

from core_attention.functional import segment_softmax
from core_attention.segments import Segments
from kernels.dispatch import autocast_off
from kernels.ragged import segment_of, segment_sum

__all__ = ["clear_empty", "equal_weights", "hide", "pool_slices", "visible_count"]


def hide(scores_TK: Tensor, valid_T: Tensor | None) -> Tensor:
    return scores_TK if valid_T is None else scores_TK.masked_fill(~valid_T.unsqueeze(-1), -torch.inf)


def equal_weights(x_TD: Tensor, segments: Segments, valid_T: Tensor | None) -> Tensor:
    """(T,1): one over the number of tokens that count, which is what attention with equal scores comes to."""
    return segment_softmax(hide(torch.zeros_like(x_TD[:, :1]), valid_T), segments.offsets)


def visible_count(x_TD: Tensor, segments: Segments, valid_T: Tensor | None) -> Tensor:
    """(S,1): how many tokens of each segment count."""
    counts_T1 = torch.ones_like(x_TD[:, :1], dtype=torch.int64)
    if valid_T is not None:
        counts_T1 = counts_T1 * valid_T.unsqueeze(-1)
    return segment_sum(counts_T1, segment_of(x_TD[:, 0], segments.offsets), segments.offsets)


def clear_empty(z_SO: Tensor, x_TD: Tensor, segments: Segments, valid_T: Tensor | None) -> Tensor:
    """Zeros where a sample has nothing that counts: biases behind the pooling would speak for it."""
    return z_SO.masked_fill(visible_count(x_TD, segments, valid_T) == 0, 0.0)


def pool_slices(v_TKE: Tensor, weights_TK: Tensor, segments: Segments) -> Tensor:
    """(S, K * E) in the dtype of v: row k of the weights pools slice k of the channels. Summed in at least float32."""
    with autocast_off(v_TKE):
        weighted_TKE = weights_TK.unsqueeze(-1) * v_TKE.to(weights_TK.dtype)
        z_SKE = segment_sum(weighted_TKE, segment_of(weights_TK[:, 0], segments.offsets), segments.offsets)
    return z_SKE.flatten(1).to(v_TKE.dtype)
