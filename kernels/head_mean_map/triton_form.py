"""The same with one map written and no other, in one launch forward (two with the log-sum-exp) and two backward.

Shapes: B batch, H heads, N queries, M keys, D width.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.head_mean_map import reference
from kernels.launch import cdiv, dot_dtype, full_dtype, launch, power, precision, register, second_order, tile, worth
from kernels.shared.attention import known_lse, mask_kind, masked, softmax_scale, strided, unable_to_attend, widest

__all__ = ["declines", "head_mean_map", "pays"]

NAME = "head_mean_map"


def constants(q: Tensor, k: Tensor, mask: Tensor | None) -> dict[str, Any]:
    return {
        "MASK": mask_kind(mask), "FULL": full_dtype(q, k), "DOT": dot_dtype(q, k), "PRECISION": precision(), "BLOCK_D": power(q.shape[3]),
    }  # fmt: skip


@torch.library.custom_op("discern::head_mean_map", mutates_args=())
def forward(q: Tensor, k: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    (b, h, n, d), m = q.shape, k.shape[2]
    out = fake(q, k, lse, mask, scale)
    shape = tile(NAME, "forward", widest(q, k), d)
    launch(
        NAME, "forward", (b * cdiv(n, shape["BLOCK_N"]) * cdiv(m, shape["BLOCK_M"]),),
        out, *strided(q), *strided(k), lse, *masked(mask, q, k), h, n, m, d, scale, tile=shape, fusion=True, **constants(q, k, mask),
    )  # fmt: skip
    return out


def fake(q: Tensor, k: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    return q.new_empty((q.shape[0], q.shape[2], k.shape[2]), dtype=full_dtype(q))


@torch.library.custom_op("discern::head_mean_map_backward", mutates_args=())
def backward(g: Tensor, q: Tensor, k: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """(dq, dk)."""
    (b, h, n, d), m = q.shape, k.shape[2]
    dq, dk = fake_backward(g, q, k, lse, mask, scale)
    balance = torch.empty((b, h, n), dtype=full_dtype(q, k), device=q.device)
    inputs = g, *g.stride(), *strided(q), *strided(k), lse, *masked(mask, q, k), h, n, m, d, scale
    for kernel, block, count, answer in (("backward_queries", "BLOCK_N", n, dq), ("backward_keys", "BLOCK_M", m, dk)):
        shape = tile(NAME, kernel, widest(q, k), d)
        grid = (b * h * cdiv(count, shape[block]),)
        launch(NAME, kernel, grid, answer, balance, *inputs, tile=shape, fusion=True, **constants(q, k, mask))
    return dq, dk


def fake_backward(g: Tensor, q: Tensor, k: Tensor, lse: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), k.new_empty(k.shape)


def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def gradients(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    q, k, lse, mask = ctx.saved_tensors
    if torch.is_grad_enabled():
        needed = ctx.needs_input_grad[:2]
        function = partial(reference.head_mean_map, mask=mask, scale=ctx.scale)
        return *second_order(function, (q, k), needed, (g,)), None, None, None
    return *backward(g, q, k, lse, mask, ctx.scale), None, None, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def head_mean_map(
    q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    factor = softmax_scale(q_BHND, scale)
    return forward(q_BHND, k_BHMD, known_lse(lse, q_BHND, k_BHMD, mask, factor), mask, factor)


def declines(
    q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None
) -> str | None:
    return unable_to_attend(q_BHND, k_BHMD, mask, lse, width=q_BHND.shape[3])


def pays(q_BHND: Tensor, k_BHMD: Tensor, lse: Tensor | None = None, mask: Tensor | None = None, scale: float | None = None) -> str | None:
    return worth(NAME, q_BHND[..., 0].numel() * k_BHMD.shape[2], q_BHND, q_BHND.shape[2], k_BHMD.shape[2])
