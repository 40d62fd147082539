"""Sums and maxima over the segments of a flat tensor.

`offsets` are S+1 whole numbers: the first is 0, the last T, none smaller than the one before.

Shapes: T tokens of all segments, S segments, K columns of scores.
"""

import torch
from torch import Tensor

from kernels.dispatch import is_tracing

__all__ = ["check_offsets", "segment_max", "segment_of", "segment_sum", "softmax_parts"]


def check_offsets(name: str, offsets: Tensor, tokens: int) -> None:
    """Refuse offsets that do not describe so many tokens. Any dtype of whole numbers will do. On a GPU only the shape is looked at:
    to read the numbers would wait for the device."""
    if offsets.ndim != 1 or offsets.is_floating_point() or offsets.dtype == torch.bool or offsets.shape[0] < 2:
        raise ValueError(f"{name}: offsets are whole numbers (S+1,) with S >= 1, not {offsets.dtype} {tuple(offsets.shape)}")
    if offsets.device.type != "cpu" or torch.compiler.is_compiling() or is_tracing():
        return
    first, last = int(offsets[0]), int(offsets[-1])
    if first != 0 or last != tokens:
        raise ValueError(f"{name}: offsets begin at 0 and end at the number of tokens, {tokens}, not at {first} and {last}")
    if bool((offsets.diff() < 0).any()):
        raise ValueError(f"{name}: offsets never decrease: {offsets}")


def segment_of(tokens_T: Tensor, offsets: Tensor) -> Tensor:
    """The segment of each of T tokens; `tokens_T` is any tensor of that length and only lends it."""
    index_T = torch.ones_like(tokens_T, dtype=torch.int64).cumsum(0) - 1  # arange(device=...) would bake the device into a trace
    return torch.searchsorted(offsets[1:].long(), index_T, right=True)


def segment_sum(x_T: Tensor, segment_T: Tensor, offsets: Tensor) -> Tensor:
    """(T, ...) to (S, ...); zeros where there is nothing to add. The order of the sum is fixed on a CPU."""
    return x_T.new_zeros((offsets.shape[0] - 1, *x_T.shape[1:])).index_add(0, segment_T, x_T)


def segment_max(x_TK: Tensor, segment_T: Tensor, offsets: Tensor) -> Tensor:
    """(T, K) to (S, K); -inf where there is nothing."""
    low_SK = x_TK.new_full((offsets.shape[0] - 1, x_TK.shape[1]), -torch.inf)
    return low_SK.scatter_reduce(0, segment_T.unsqueeze(-1).expand_as(x_TK), x_TK, "amax")


def softmax_parts(scores_TK: Tensor, segment_T: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """(weights (T,K), log-sum-exp (S,K)) of scores that are in full precision already.

    A score of -inf gets weight 0 and no gradient; where a segment shows nothing, the log-sum-exp is -inf.
    """
    top_SK = segment_max(scores_TK.detach(), segment_T, offsets)
    top_SK = top_SK.masked_fill(top_SK == -torch.inf, 0.0)
    e_TK = (scores_TK - top_SK.index_select(0, segment_T)).exp()
    sum_SK = segment_sum(e_TK, segment_T, offsets)
    hidden_SK = sum_SK == 0
    sum_SK = sum_SK.masked_fill(hidden_SK, 1.0)
    lse_SK = (sum_SK.log() + top_SK).masked_fill(hidden_SK, -torch.inf)
    return e_TK / sum_SK.index_select(0, segment_T), lse_SK
