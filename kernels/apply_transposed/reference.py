"""c_j = sum_i r_i P_ij in plain aten, P being the softmax map.

Shapes: B batch, H heads, N queries, M keys, D width.
"""

import torch
from torch import Tensor

from kernels.attend.reference import weights
from kernels.dispatch import autocast_off

__all__ = ["apply_transposed"]


def apply_transposed(
    q_BHND: Tensor, k_BHMD: Tensor, r: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """Return c (B,H,M) in at least float32.

    r: (B,H,N), or (B,N) for all heads alike. lse: the log-sum-exp (B,H,N) of these very logits, if it is known: it saves
    time, changes nothing, and gets no gradient (the gradient of q and k is complete without). mask, scale: as of `attend`.
    A query that may attend to nothing passes nothing on: then c sums to less than r.
    """
    p_BHNM, _ = weights(q_BHND, k_BHMD, mask, False, scale)
    r_BHN = by_head(r).to(torch.promote_types(p_BHNM.dtype, r.dtype))
    with autocast_off(q_BHND):
        return (r_BHN.unsqueeze(-2) @ p_BHNM.to(r_BHN.dtype)).squeeze(-2)


def by_head(r: Tensor) -> Tensor:
    """(B,N) as (B,1,N)."""
    return r.unsqueeze(1) if r.ndim == 2 else r
