"""The same without the map, in one launch forward (two with the log-sum-exp) and two backward.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.launch import cdiv, dot_dtype, full_dtype, launch, power, precision, register, second_order, tile, worth
from kernels.reversed_attend import reference
from kernels.shared.attention import mask_kind, masked, row_lse, softmax_scale, strided, unable_to_attend, widest

__all__ = ["declines", "forward", "pays", "reversed_attend"]

NAME = "reversed_attend"


def constants(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> dict[str, Any]:
    (d, e), row = (q.shape[3], v.shape[3]), v.shape[3] == 1
    return {
        "ROW": row, "MASK": mask_kind(mask), "FULL": full_dtype(q, k, v), "DOT": dot_dtype(q, k), "VALUE_DOT": dot_dtype(v),
        "PRECISION": precision(), "BLOCK_D": power(d), "BLOCK_E": 1 if row else power(e),
    }  # fmt: skip


def tiled(kernel: str, q: Tensor, k: Tensor, v: Tensor) -> dict[str, int]:
    """By the widest of the factors of products."""
    factors = (q, k) if v.shape[3] == 1 else (q, k, v)
    return tile(NAME, kernel, widest(*factors), max(q.shape[3], v.shape[3]))


@torch.library.custom_op("discern::reversed_attend", mutates_args=())
def forward(q: Tensor, k: Tensor, v: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """y, with the rows' log-sum-exp at hand."""
    (b, h, n, d), m, e = q.shape, k.shape[2], v.shape[3]
    y = fake(q, k, v, lse, mask, scale)
    shape = tiled("forward", q, k, v)
    launch(
        NAME, "forward", (b * h * cdiv(m, shape["BLOCK_M"]),),
        y, *strided(q), *strided(k), *strided(v), lse, *masked(mask, q, k), h, n, m, d, e, scale,
        tile=shape, fusion=True, **constants(q, k, v, mask),
    )  # fmt: skip
    return y


def fake(q: Tensor, k: Tensor, v: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    return v.new_empty((*k.shape[:3], v.shape[3]))


@torch.library.custom_op("discern::reversed_attend_backward", mutates_args=())
def backward(
    g: Tensor, q: Tensor, k: Tensor, v: Tensor, lse: Tensor, mask: Tensor | None, scale: float, of_logits: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """(dq, dk, dv); the first two are empty unless `of_logits`."""
    (b, h, n, d), m, e = q.shape, k.shape[2], v.shape[3]
    dq, dk, dv = fake_backward(g, q, k, v, lse, mask, scale, of_logits)
    balance = torch.empty((b, h, n) if of_logits else 0, dtype=full_dtype(q, k, v), device=q.device)
    inputs = *strided(g), *strided(q), *strided(k), *strided(v), lse, *masked(mask, q, k), h, n, m, d, e, scale
    shape = tiled("backward_queries", q, k, v)
    launch(
        NAME, "backward_queries", (b * h * cdiv(n, shape["BLOCK_N"]),), dq, dv, balance, *inputs,
        tile=shape, fusion=True, LOGITS=of_logits, **constants(q, k, v, mask),
    )  # fmt: skip
    if of_logits:
        shape = tiled("backward_keys", q, k, v)
        launch(
            NAME, "backward_keys", (b * h * cdiv(m, shape["BLOCK_M"]),), dk, balance, *inputs,
            tile=shape, fusion=True, **constants(q, k, v, mask),
        )  # fmt: skip
    return dq, dk, dv


def fake_backward(
    g: Tensor, q: Tensor, k: Tensor, v: Tensor, lse: Tensor, mask: Tensor | None, scale: float, of_logits: bool
) -> tuple[Tensor, Tensor, Tensor]:
    return q.new_empty(q.shape if of_logits else 0), k.new_empty(k.shape if of_logits else 0), v.new_empty(v.shape)


def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def gradients(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, lse, mask = ctx.saved_tensors
    needed = ctx.needs_input_grad[:3]
    if torch.is_grad_enabled():
        function = partial(reference.reversed_attend, mask=mask, scale=ctx.scale)
        return *second_order(function, (q, k, v), needed, (g,)), None, None, None
    of_logits = needed[0] or needed[1]
    dq, dk, dv = backward(g, q, k, v, lse, mask, ctx.scale, of_logits)
    return dq if of_logits else None, dk if of_logits else None, dv, None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def reversed_attend(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    factor = softmax_scale(q_BHND, scale)
    return forward(q_BHND, k_BHMD, v_BHNE, row_lse(q_BHND, k_BHMD, mask, factor), mask, factor)


def declines(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> str | None:
    return unable_to_attend(q_BHND, k_BHMD, mask, v_BHNE, width=max(q_BHND.shape[3], v_BHNE.shape[3]))


def pays(q_BHND: Tensor, k_BHMD: Tensor, v_BHNE: Tensor, mask: Tensor | None = None, scale: float | None = None) -> str | None:
    return worth(NAME, q_BHND[..., 0].numel() * k_BHMD.shape[2], q_BHND, q_BHND.shape[2], k_BHMD.shape[2])
