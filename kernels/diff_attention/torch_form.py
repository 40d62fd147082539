"""The same as two calls of torch's fused attention and a subtraction.

Shapes: B batch, H heads, K heads of the subtracted map, G = H / K, N queries, M keys, D head width, E value width.
"""

import torch
from torch import Tensor

from kernels.attend.torch_form import attend
from kernels.dispatch import is_tracing

__all__ = ["declines", "diff_attention"]


def diff_attention(
    q1_BHND: Tensor,
    k1_BHMD: Tensor,
    q2_BKND: Tensor,
    k2_BKMD: Tensor,
    v_BHME: Tensor,
    lam: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    first_BHNE, _ = attend(q1_BHND, k1_BHMD, v_BHME, mask, causal, scale)
    batch, heads, m, width = v_BHME.shape
    kept, n = q2_BKND.shape[1:3]
    # the values of the G heads that share a map lie side by side, so that it is computed once
    beside = v_BHME.reshape(batch, kept, -1, m, width).transpose(2, 3).flatten(3)
    second, _ = attend(q2_BKND, k2_BKMD, beside, mask, causal, scale)
    second_BHNE = second.reshape(batch, kept, n, -1, width).transpose(2, 3).reshape(batch, heads, n, width)
    full = torch.promote_types(first_BHNE.dtype, torch.float32)
    lam_H11 = lam.to(full).reshape(-1, 1, 1)
    return (first_BHNE.to(full) - lam_H11 * second_BHNE.to(full)).to(v_BHME.dtype)


def declines(
    q1_BHND: Tensor,
    k1_BHMD: Tensor,
    q2_BKND: Tensor,
    k2_BKMD: Tensor,
    v_BHME: Tensor,
    lam: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> str | None:
    if mask is not None and is_tracing():
        return "a trace cannot tell whether a mask is of each head"
    if mask is not None and mask.ndim == 4 and mask.shape[1] != 1 and q2_BKND.shape[1] != q1_BHND.shape[1]:
        return "a mask of each head, and heads that share a subtracted map"
    return None
