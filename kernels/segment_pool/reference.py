"""Weighted sums over segments in plain aten.

Shapes: T tokens of all segments, S segments, K columns of weights, D width.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.ragged import segment_of, segment_sum

__all__ = ["pooled", "segment_pool"]


def segment_pool(x: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Each segment's sum of weights * x, (S,K,D) in the dtype of x, summed in at least float32.

    x: (T,D). weights: (T,K), taken as they are. offsets: (S+1,) whole numbers. A segment without tokens gives zeros.
    A weight of 0 does not silence a NaN: 0 * NaN is NaN.
    """
    full = torch.promote_types(x.dtype, torch.promote_types(weights.dtype, torch.float32))
    with autocast_off(x):
        z_SKD = pooled(x.to(full), weights.to(full), segment_of(x[:, 0], offsets), offsets)
    return z_SKD.to(x.dtype)


def pooled(x_TD: Tensor, weights_TK: Tensor, segment_T: Tensor, offsets: Tensor) -> Tensor:
    return segment_sum(weights_TK.unsqueeze(-1) * x_TD.unsqueeze(1), segment_T, offsets)
