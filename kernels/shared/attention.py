"""What the Triton forms on queries and keys share on the host: strides, masks, and the log-sum-exp of rows as an operation.

Shapes: B batch, H heads, N queries, M keys, D width.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.launch import cdiv, dot_dtype, full_dtype, launch, power, precision, register, tile, unable

__all__ = ["WIDEST", "known_lse", "mask_kind", "masked", "row_lse", "softmax_scale", "strided", "unable_to_attend", "widest"]

NAME = "shared"
WIDEST = 256  # a row of the widest tile that still leaves room for another


def softmax_scale(q_BHND: Tensor, scale: float | None) -> float:
    return q_BHND.shape[-1] ** -0.5 if scale is None else float(scale)


def strided(x: Tensor) -> tuple[Any, ...]:
    """(x (B,H,rows,width), its first three strides); copied only where a row does not lie in one piece."""
    x = x if x.stride(-1) == 1 or x.shape[-1] == 1 else x.contiguous()
    return x, *x.stride()[:3]


def widest(*factors: Tensor) -> Tensor:
    """Of the factors of products: what its numbers take is what they all take on the chip."""
    return max(factors, key=Tensor.element_size)


def mask_kind(mask: Tensor | None) -> str:
    return "none" if mask is None else "bool" if mask.dtype == torch.bool else "float"


def masked(mask: Tensor | None, q_BHND: Tensor, k_BHMD: Tensor) -> tuple[Any, ...]:
    """(mask, its strides as (B,H,N,M)), which are 0 along sizes that it lacks; four zeros without one."""
    if mask is None:
        return None, 0, 0, 0, 0
    whole = mask.expand(*q_BHND.shape[:3], k_BHMD.shape[2])
    return mask, *whole.stride()


@torch.library.custom_op("discern::row_lse", mutates_args=())
def row_lse_forward(q: Tensor, k: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    (b, h, n, d), m = q.shape, k.shape[2]
    out = fake_row_lse(q, k, mask, scale)
    shape = tile(NAME, "row_lse", widest(q, k), d)
    launch(
        NAME, "row_lse", (b * h * cdiv(n, shape["BLOCK_N"]),),
        out, *strided(q), *strided(k), *masked(mask, q, k), h, n, m, d, scale,
        tile=shape, fusion=True, MASK=mask_kind(mask), FULL=out.dtype, DOT=dot_dtype(q, k), PRECISION=precision(), BLOCK_D=power(d),
    )  # fmt: skip
    return out


def fake_row_lse(q: Tensor, k: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    return q.new_empty(q.shape[:3], dtype=full_dtype(q, k))


register(row_lse_forward, fake_row_lse)


def row_lse(q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """log sum_j exp(scale q_i . k_j + mask) (B,H,N) in at least float32, -inf where a query sees nothing.

    Without a gradient: the formulas that use it contain the gradient through it.
    """
    return row_lse_forward(q_BHND.detach(), k_BHMD.detach(), mask, scale)


def known_lse(lse_BHN: Tensor | None, q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """The log-sum-exp that was given, or the rows' own. One in fewer digits than sums have would show in the answer: it is not used."""
    if lse_BHN is not None and full_dtype(q_BHND, k_BHMD, lse_BHN) == lse_BHN.dtype:
        return lse_BHN.detach().contiguous()
    return row_lse(q_BHND, k_BHMD, mask, scale)


def unable_to_attend(q_BHND: Tensor, k_BHMD: Tensor, mask: Tensor | None, *others: Tensor | None, width: int) -> str | None:
    """Why no kernel on queries and keys could take these tensors, or None. width: of the widest row."""
    if reason := unable(q_BHND, k_BHMD, mask, *others):
        return reason
    if width > WIDEST:
        return f"heads of width {width}; kernels hold {WIDEST} at most"
    if mask is not None and mask.requires_grad and torch.is_grad_enabled():
        return "the gradient of a mask is torch's"
    return None
