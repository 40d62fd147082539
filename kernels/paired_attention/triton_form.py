"""Softmax over the keys of two sets in one launch forward and four backward, without the map and without one set beside the other.

Shapes: B batch, H heads, N queries, M keys of the first set, K of the second, D head width, E value width.
"""

from typing import Any

import torch
from torch import Tensor

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
from kernels.paired_attention import reference
from kernels.shared.attention import mask_kind, masked, softmax_scale, strided, unable_to_attend, widest

__all__ = ["declines", "paired_attention", "pays"]

NAME = "paired_attention"


def common(q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor) -> dict[str, Any]:
    """The constants of all kernels but the masks."""
    return {
        "FULL": full_dtype(q, k1, v1, k2, v2), "DOT": dot_dtype(q, k1, v1, k2, v2), "PRECISION": precision(),
        "BLOCK_D": power(q.shape[3]), "BLOCK_E": power(v1.shape[3]),
    }  # fmt: skip


@torch.library.custom_op("discern::paired_attention", mutates_args=())
def forward(
    q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor, mask1: Tensor | None, mask2: Tensor | None, scale: float, need_own: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """(output, log-sum-exp over both sets, own mass or nothing)."""
    out, lse, own = fake(q, k1, v1, k2, v2, mask1, mask2, scale, need_own)
    (b, h, n, d), e = q.shape, v1.shape[3]
    shape = tile(NAME, "forward", widest(q, k1, v1, k2, v2), max(d, e))
    launch(
        NAME, "forward", (cdiv(n, shape["BLOCK_N"]) * b * h,),
        out, lse, own, *strided(q), *strided(k1), *strided(v1), *strided(k2), *strided(v2), *masked(mask1, q, k1), *masked(mask2, q, k2),
        h, n, k1.shape[2], k2.shape[2], d, e, scale,
        tile=shape, fusion=True, MASK1=mask_kind(mask1), MASK2=mask_kind(mask2), OWN=need_own, **common(q, k1, v1, k2, v2),
    )  # fmt: skip
    return out, lse, own


def fake(
    q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor, mask1: Tensor | None, mask2: Tensor | None, scale: float, need_own: bool
) -> tuple[Tensor, Tensor, Tensor]:
    rows, full = q.shape[:3], full_dtype(q, k1, v1, k2, v2)
    return v1.new_empty((*rows, v1.shape[3])), q.new_empty(rows, dtype=full), q.new_empty(rows if need_own else 0, dtype=full)


@torch.library.custom_op("discern::paired_attention_backward", mutates_args=())
def backward(
    g: Tensor, out: Tensor, lse: Tensor, q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor, mask1: Tensor | None,
    mask2: Tensor | None, scale: float, of_queries: bool, of_first: bool, of_second: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(dq, dk1, dv1, dk2, dv2); those of queries, or of a set, are empty where they are not wanted."""
    dq, dk1, dv1, dk2, dv2 = fake_backward(g, out, lse, q, k1, v1, k2, v2, mask1, mask2, scale, of_queries, of_first, of_second)
    (b, h, n, d), e, width = q.shape, v1.shape[3], max(q.shape[3], v1.shape[3])
    delta = torch.empty_like(lse)
    shape = tile(NAME, "row_sums", g, e)
    launch(
        NAME, "row_sums", (cdiv(n, shape["BLOCK_N"]) * b * h,), delta, *strided(g), out, h, n, e,
        tile=shape, fusion=True, FULL=lse.dtype, BLOCK_E=power(e),
    )  # fmt: skip
    if of_queries:
        shape = tile(NAME, "queries", widest(q, k1, v1, k2, v2), width)
        launch(
            NAME, "queries", (cdiv(n, shape["BLOCK_N"]) * b * h,),
            dq, *strided(g), lse, delta, *strided(q), *strided(k1), *strided(v1), *strided(k2), *strided(v2),
            *masked(mask1, q, k1), *masked(mask2, q, k2), h, n, k1.shape[2], k2.shape[2], d, e, scale,
            tile=shape, fusion=True, MASK1=mask_kind(mask1), MASK2=mask_kind(mask2), **common(q, k1, v1, k2, v2),
        )  # fmt: skip
    shape = tile(NAME, "keys", widest(q, k1, v1, k2, v2), width)
    for wanted, dk, dv, k, v, mask in ((of_first, dk1, dv1, k1, v1, mask1), (of_second, dk2, dv2, k2, v2, mask2)):
        if wanted:
            launch(
                NAME, "keys", (cdiv(k.shape[2], shape["BLOCK_M"]) * b * h,),
                dk, dv, *strided(g), lse, delta, *strided(q), *strided(k), *strided(v), *masked(mask, q, k), h, n, k.shape[2], d, e, scale,
                tile=shape, fusion=True, MASK=mask_kind(mask), **common(q, k1, v1, k2, v2),
            )  # fmt: skip
    return dq, dk1, dv1, dk2, dv2


def fake_backward(
    g: Tensor, out: Tensor, lse: Tensor, q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor, mask1: Tensor | None,
    mask2: Tensor | None, scale: float, of_queries: bool, of_first: bool, of_second: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    dk1, dv1 = (x.new_empty(x.shape if of_first else 0) for x in (k1, v1))
    dk2, dv2 = (x.new_empty(x.shape if of_second else 0) for x in (k2, v2))
    return q.new_empty(q.shape if of_queries else 0), dk1, dv1, dk2, dv2


def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    *tensors, ctx.scale, _ = inputs
    ctx.save_for_backward(*output[:2], *tensors)


def gradients(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    out, lse, *inputs, mask1, mask2 = ctx.saved_tensors
    need = ctx.needs_input_grad
    if torch.is_grad_enabled():

        def again(q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor) -> Tensor:
            return reference.paired_attention(q, k1, v1, k2, v2, mask1, mask2, ctx.scale, False)[0]

        return *second_order(again, inputs, need[:5], (g,)), None, None, None, None
    found = backward(g, out, lse, *inputs, mask1, mask2, ctx.scale, need[0], need[1] or need[2], need[3] or need[4])
    return *(x if wanted else None for x, wanted in zip(found, need, strict=False)), None, None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def paired_attention(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> tuple[Tensor, Tensor | None]:
    factor = softmax_scale(q_BHND, scale)
    factors = in_autocast_dtype(q_BHND, k1_BHMD, v1_BHME, k2_BHKD, v2_BHKE)
    out_BHNE, _, own_BHN = forward(*factors, mask1, mask2, factor, need_own)
    return out_BHNE.to(v1_BHME.dtype), own_BHN.detach() if need_own else None


def declines(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> str | None:
    first = unable_to_attend(q_BHND, k1_BHMD, mask1, v1_BHME, width=max(q_BHND.shape[3], v1_BHME.shape[3]))
    return first or unable_to_attend(q_BHND, k2_BHKD, mask2, v2_BHKE, width=v2_BHKE.shape[3])


def pays(
    q_BHND: Tensor,
    k1_BHMD: Tensor,
    v1_BHME: Tensor,
    k2_BHKD: Tensor,
    v2_BHKE: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
    scale: float | None = None,
    need_own: bool = True,
) -> str | None:
    n, m, k = q_BHND.shape[2], k1_BHMD.shape[2], k2_BHKD.shape[2]
    return worth(NAME, q_BHND[..., 0].numel() * (m + k), q_BHND, n, m, k)
