"""The same in pieces of a few queries: memory O(N + M) a head instead of O(N M).

Shapes: B batch, H heads, N queries, M keys, D width, R queries of one piece.
"""

import torch
from torch import Tensor

from kernels.apply_transposed.reference import by_head
from kernels.dispatch import autocast_off
from kernels.query_chunks import chunks, exponentials, loop_declines

__all__ = ["apply_transposed", "declines"]


def apply_transposed(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    def step(q_BHRD: Tensor, k_BHMD: Tensor, r_BHR: Tensor, lse_BHR: Tensor | None, mask: Tensor | None) -> Tensor:
        e_BHRM, sum_BHR = exponentials(q_BHRD, k_BHMD, lse_BHR, mask, scale)
        share_BH1R = (r_BHR / sum_BHR).unsqueeze(-2)
        with autocast_off(q_BHRD):
            return (share_BH1R @ e_BHRM.to(share_BH1R.dtype)).squeeze(-2)

    r_BHN = by_head(r).to(torch.promote_types(torch.promote_types(q_BHND.dtype, torch.float32), r.dtype))
    c_BHM: Tensor | None = None
    for part_BHM in chunks(step, q_BHND, k_BHMD, (r_BHN, 2), (lse, 2), (mask, -2)):
        c_BHM = part_BHM if c_BHM is None else c_BHM + part_BHM
    assert c_BHM is not None
    return c_BHM


def declines(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> str | None:
    return loop_declines(q_BHND)
