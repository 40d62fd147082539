"""Softmax over segments in plain aten.

Shapes: T tokens of all segments, S segments, K columns of scores.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.ragged import segment_of, softmax_parts

__all__ = ["segment_softmax"]


def segment_softmax(scores: Tensor, offsets: Tensor) -> Tensor:
    """Each column's softmax over the tokens of each segment, shaped as the scores, in at least float32.

    scores: (T,K) or (T,); -inf hides a token: weight 0, no gradient. Where all tokens of a segment are hidden, all weights are 0.
    offsets: (S+1,) whole numbers.
    """
    scores_TK = scores if scores.ndim == 2 else scores.unsqueeze(-1)
    with autocast_off(scores):
        full_TK = scores_TK.to(torch.promote_types(scores.dtype, torch.float32))
        weights_TK, _ = softmax_parts(full_TK, segment_of(full_TK[:, 0], offsets), offsets)
    return weights_TK if scores.ndim == 2 else weights_TK.squeeze(-1)
