"""x + sigmoid(gate + bias) * y in one launch forward and one backward.

Shapes: R rows (all leading sizes), D width.
"""

import math
from typing import Any

import torch
from torch import Tensor

from kernels.gate_residual import reference
from kernels.launch import cdiv, full_dtype, launch, register, second_order, tile, unable, worth

__all__ = ["declines", "gate_residual", "pays"]

NAME = "gate_residual"


def rows(x: Tensor, like: Tensor) -> tuple[Tensor, int, int]:
    """(x broadcast to `like` as (R,D), its strides); nothing is copied where the leading sizes are one stride apart."""
    x_RD = x.expand(like.shape).reshape(math.prod(like.shape[:-1]), like.shape[-1])
    return x_RD, x_RD.stride(0), x_RD.stride(1)


@torch.library.custom_op("discern::gate_residual", mutates_args=())
def forward(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None) -> Tensor:
    out = fake(x, y, gate, bias)
    (count, width), by = rows(y, y)[0].shape, gate if bias is None else bias
    shape = tile(NAME, "forward", y, width)
    launch(
        NAME, "forward", (cdiv(count, shape["BLOCK_R"]), cdiv(width, shape["BLOCK_D"])),
        out, *rows(y if x is None else x, y), *rows(y, y), *rows(gate, y), *rows(by, y), count, width,
        tile=shape, fusion=False, HAS_X=x is not None, BIAS=bias is not None, FULL=full_dtype(x, y),
    )  # fmt: skip
    return out


def fake(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None) -> Tensor:
    return y.new_empty(y.shape, dtype=y.dtype if x is None else torch.promote_types(x.dtype, y.dtype))


def sums(y: Tensor, gate: Tensor, bias: Tensor | None) -> tuple[bool, bool, bool]:
    """What the gradients of gate and bias are made of: the slope of each element, its sums by column, its sums by row."""
    each = gate.shape == y.shape
    by_row = not each and gate.shape == (*y.shape[:-1], 1)
    return each, not by_row and not (each and (bias is None or bias.shape == gate.shape)), by_row


@torch.library.custom_op("discern::gate_residual_backward", mutates_args=())
def backward(g: Tensor, x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """(dy, dgate, dbias); empty where there is no bias."""
    each, columns, by_row = sums(y, gate, bias)
    full = full_dtype(x, y)
    (count, width), by = rows(y, y)[0].shape, gate if bias is None else bias
    shape = tile(NAME, "backward", y, width)
    blocks = cdiv(count, shape["BLOCK_R"]), cdiv(width, shape["BLOCK_D"])
    dy = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    # as wide as the gradients that it becomes: in full precision, to be rounded later, it would be half as many bytes again as all else
    kept = gate.dtype if bias is None or columns else torch.promote_types(gate.dtype, bias.dtype)
    dlogit = torch.empty(y.shape if each else 0, dtype=kept, device=y.device)
    of_columns = torch.empty((blocks[0], width) if columns else 0, dtype=full, device=y.device)
    of_rows = torch.empty((blocks[1], count) if by_row else 0, dtype=full, device=y.device)
    launch(
        NAME, "backward", blocks,
        dy, dlogit, of_columns, of_rows, *rows(g, y), *rows(y, y), *rows(gate, y), *rows(by, y), count, width,
        tile=shape, fusion=False, BIAS=bias is not None, EACH=each, COLUMNS=columns, ROWS=by_row, FULL=full,
    )  # fmt: skip
    slope = of_rows.sum(0) if by_row else of_columns.sum(0) if columns else dlogit
    dgate = (dlogit if each else slope).reshape(gate.shape).to(gate.dtype)
    if bias is None:
        return dy, dgate, y.new_empty(0)
    dbias = slope if bias.numel() == slope.numel() else slope.sum()
    return dy, dgate, dbias.reshape(bias.shape).to(bias.dtype, copy=True)  # may be dgate itself, and answers share no memory


def fake_backward(g: Tensor, x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(y).contiguous(), gate.new_empty(gate.shape), y.new_empty(0) if bias is None else bias.new_empty(bias.shape)


def keep(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def gradients(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    x, y, gate, bias = ctx.saved_tensors
    if torch.is_grad_enabled():
        return tuple(second_order(reference.gate_residual, (x, y, gate, bias), ctx.needs_input_grad, (g,)))
    dy, dgate, dbias = backward(g, x, y, gate, bias)
    return None if x is None else g.to(x.dtype), dy, dgate, None if bias is None else dbias


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def gate_residual(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None = None) -> Tensor:
    return forward(x, y, gate, bias)


def declines(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None = None) -> str | None:
    return unable(x, y, gate, bias)


def pays(x: Tensor | None, y: Tensor, gate: Tensor, bias: Tensor | None = None) -> str | None:
    return worth(NAME, y.numel(), y)
