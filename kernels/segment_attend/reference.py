"""Attention of K given scores over each segment, in plain aten.

Shapes: T tokens of all segments, S segments, K columns of scores, D width.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.ragged import segment_of, softmax_parts
from kernels.segment_pool.reference import pooled

__all__ = ["segment_attend"]


def segment_attend(x: Tensor, scores: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """(pooled (S,K,D) in the dtype of x, log-sum-exp of the scores (S,K) in at least float32): segment_softmax, then segment_pool.

    x: (T,D). scores: (T,K); -inf hides a token. A segment without tokens, or with hidden ones only, gives zeros and -inf.
    offsets: (S+1,) whole numbers. A hidden token is not silenced in arithmetic: 0 * NaN is NaN.
    """
    full = torch.promote_types(x.dtype, torch.promote_types(scores.dtype, torch.float32))
    with autocast_off(x):
        segment_T = segment_of(x[:, 0], offsets)
        weights_TK, lse_SK = softmax_parts(scores.to(full), segment_T, offsets)
        z_SKD = pooled(x.to(full), weights_TK, segment_T, offsets)
    return z_SKD.to(x.dtype), lse_SK
