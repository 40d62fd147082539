"""(P1 - lam P2) V in one launch forward and three backward, without the maps.

Shapes: B batch, H heads, K heads of the subtracted map, G = H / K, N queries, M keys, D head width, E value width.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.diff_attention import reference
from kernels.launch import (
    cdiv,
    dot_dtype,
    full_dtype,
    in_autocast_dtype,
    launch,
    power,
    precision,
    register,
    second_order,
    tile,
    worth,
)
from kernels.shared.attention import mask_kind, masked, softmax_scale, strided, unable_to_attend, widest

__all__ = ["declines", "diff_attention", "pays"]

NAME = "diff_attention"


def start(
    kernel: str, first: tuple[Any, ...], parts: tuple[Tensor, ...], mask: Tensor | None, causal: bool, scale: float
) -> None:  # fmt: skip
    """What the four kernels have in common. first: the arguments before the strided ones; parts: q1, k1, q2, k2, v, lam."""
    q1, k1, q2, k2, v, lam_H = parts
    (b, h, n, d), m, e = q1.shape, k1.shape[2], v.shape[3]
    shape = tile(NAME, kernel, widest(q1, k1, q2, k2, v), max(d, e))
    blocks = cdiv(m, shape["BLOCK_M"]) if kernel == "keys" else cdiv(n, shape["BLOCK_N"])
    of_first = () if kernel == "row_sums" else (*strided(q1), *strided(k1))
    launch(
        NAME, kernel, (blocks * b * h,),
        *first, *of_first, *strided(q2), *strided(k2), *strided(v), lam_H, *lam_H.stride(), *masked(mask, q1, k1),
        h, h // q2.shape[1], n, m, d, e, scale,
        tile=shape, fusion=True, MASK=mask_kind(mask), CAUSAL=causal, FULL=full_dtype(q1, k1, v), DOT=dot_dtype(q1, k1, q2, k2, v),
        PRECISION=precision(), BLOCK_D=power(d), BLOCK_E=power(e),
    )  # fmt: skip


@torch.library.custom_op("discern::diff_attention", mutates_args=())
def forward(
    q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam_H: Tensor, mask: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(output, log-sum-exps of the first map, of the second map in each of the H heads)."""
    out, lse1, lse2 = fake(q1, k1, q2, k2, v, lam_H, mask, causal, scale)
    start("forward", (out, lse1, lse2), (q1, k1, q2, k2, v, lam_H), mask, causal, scale)
    return out, lse1, lse2


def fake(
    q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam_H: Tensor, mask: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    rows, full = q1.shape[:3], full_dtype(q1, k1, v)
    return v.new_empty((*rows, v.shape[3])), q1.new_empty(rows, dtype=full), q1.new_empty(rows, dtype=full)


@torch.library.custom_op("discern::diff_attention_backward", mutates_args=())
def backward(
    g: Tensor, out: Tensor, lse1: Tensor, lse2: Tensor, q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam_H: Tensor,
    mask: Tensor | None, causal: bool, scale: float, of_queries: bool, of_keys: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(dq1, dk1, dq2, dk2, dv, dlam); those of queries, or of keys and values, are empty where they are not wanted."""
    parts = q1, k1, q2, k2, v, lam_H
    delta1, delta2 = torch.empty_like(lse1), torch.empty_like(lse2)
    start("row_sums", (delta1, delta2, *strided(g), out, lse2), parts, mask, causal, scale)
    saved = *strided(g), lse1, lse2, delta1, delta2
    dq1, dk1, dq2, dk2, dv, _ = fake_backward(g, out, lse1, lse2, *parts, mask, causal, scale, of_queries, of_keys)
    if of_queries:
        each = of_each_head(dq2, q1)
        start("queries", (dq1, each, *saved), parts, mask, causal, scale)
        dq2 = of_groups(each, q2)
    if of_keys:
        each = of_each_head(dk2, k1)
        start("keys", (dk1, each, dv, *saved), parts, mask, causal, scale)
        dk2 = of_groups(each, k2)
    return dq1, dk1, dq2, dk2, dv, -delta2.sum((0, 2))


def of_each_head(dx2_BKND: Tensor, x1_BHND: Tensor) -> Tensor:
    """Room for the gradient of x2 in every head: its own, or in full precision where there is something to be summed."""
    return dx2_BKND if dx2_BKND.shape == x1_BHND.shape else x1_BHND.new_empty(x1_BHND.shape, dtype=full_dtype(dx2_BKND))


def of_groups(dx2_BHND: Tensor, x2_BKND: Tensor) -> Tensor:
    """Its sum over the heads that share x2: by torch, in a fixed order."""
    if dx2_BHND.shape == x2_BKND.shape:
        return dx2_BHND
    b, kept, rows, width = x2_BKND.shape
    return dx2_BHND.reshape(b, kept, -1, rows, width).sum(2).to(x2_BKND.dtype)


def fake_backward(
    g: Tensor, out: Tensor, lse1: Tensor, lse2: Tensor, q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam_H: Tensor,
    mask: Tensor | None, causal: bool, scale: float, of_queries: bool, of_keys: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    dq1, dq2 = (x.new_empty(x.shape if of_queries else 0) for x in (q1, q2))
    dk1, dk2, dv = (x.new_empty(x.shape if of_keys else 0) for x in (k1, k2, v))
    return dq1, dk1, dq2, dk2, dv, lse1.new_empty(lam_H.shape)


def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    *tensors, ctx.causal, ctx.scale = inputs
    ctx.save_for_backward(*output, *tensors)


def gradients(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    out, lse1, lse2, *parts, mask = ctx.saved_tensors
    need = ctx.needs_input_grad
    if torch.is_grad_enabled():

        def again(q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam_H: Tensor) -> Tensor:
            return reference.diff_attention(q1, k1, q2, k2, v, lam_H, mask, ctx.causal, ctx.scale)

        return *second_order(again, parts, need[:6], (g,)), None, None, None
    found = backward(g, out, lse1, lse2, *parts, mask, ctx.causal, ctx.scale, need[0] or need[2], need[1] or need[3] or need[4])
    return *(x if wanted else None for x, wanted in zip(found, need, strict=False)), None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


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
    # A view of one for each head: torch adds its gradients up where they are one number.
    lam_H = lam.to(full_dtype(q1_BHND, k1_BHMD, v_BHME)).expand(q1_BHND.shape[1])
    factors = in_autocast_dtype(q1_BHND, k1_BHMD, q2_BKND, k2_BKMD, v_BHME)
    return forward(*factors, lam_H, mask, causal, softmax_scale(q1_BHND, scale))[0].to(v_BHME.dtype)


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
    width = max(q1_BHND.shape[3], v_BHME.shape[3])
    return unable_to_attend(q1_BHND, k1_BHMD, mask, q2_BKND, k2_BKMD, v_BHME, lam, width=width)


def pays(
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
    return worth(NAME, q1_BHND[..., 0].numel() * k1_BHMD.shape[2], q1_BHND, q1_BHND.shape[2], k1_BHMD.shape[2])
