"""The same in pieces of a few queries: memory of one map instead of one a head.

Shapes: B batch, H heads, N queries, M keys, D width, R queries of one piece.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.query_chunks import chunks, exponentials, loop_declines

__all__ = ["declines", "head_mean_map"]


def head_mean_map(
    q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    def step(q_BHRD: Tensor, k_BHMD: Tensor, lse_BHR: Tensor | None, mask: Tensor | None) -> Tensor:
        e_BHRM, sum_BHR = exponentials(q_BHRD, k_BHMD, lse_BHR, mask, scale)
        with autocast_off(q_BHRD):
            return (e_BHRM / (sum_BHR * q_BHRD.shape[1]).unsqueeze(-1)).sum(1)

    return torch.cat(list(chunks(step, q_BHND, k_BHMD, (lse, 2), (mask, -2))), 1)


def declines(
    q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> str | None:
    return loop_declines(q_BHND)
