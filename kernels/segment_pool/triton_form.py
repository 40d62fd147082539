"""Weighted sums over segments: segment_attend's kernels without a softmax.

Shapes: T tokens of all segments, S segments, K columns of weights, D width.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.launch import register, second_order, unable, worth
from kernels.segment_attend.triton_form import attended, slopes
from kernels.segment_pool import reference

__all__ = ["declines", "pays", "segment_pool"]

NAME = "segment_pool"


@torch.library.custom_op("discern::segment_pool", mutates_args=())
def forward(x_TD: Tensor, weights_TK: Tensor, offsets: Tensor) -> Tensor:
    return attended(x_TD, weights_TK, offsets, False)[0]


def fake(x_TD: Tensor, weights_TK: Tensor, offsets: Tensor) -> Tensor:
    return x_TD.new_empty((offsets.shape[0] - 1, weights_TK.shape[1], x_TD.shape[1]))


@torch.library.custom_op("discern::segment_pool_backward", mutates_args=())
def backward(dz_SKD: Tensor, x_TD: Tensor, weights_TK: Tensor, offsets: Tensor, need_x: bool) -> tuple[Tensor, Tensor]:
    nothing = x_TD.new_empty(0)
    return slopes(x_TD, weights_TK, offsets, nothing, dz_SKD, nothing, False, need_x)


def fake_backward(dz_SKD: Tensor, x_TD: Tensor, weights_TK: Tensor, offsets: Tensor, need_x: bool) -> tuple[Tensor, Tensor]:
    return x_TD.new_empty(x_TD.shape if need_x else 0), weights_TK.new_empty(weights_TK.shape)


def keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def gradients(ctx: Any, dz_SKD: Tensor) -> tuple[Tensor | None, ...]:
    x_TD, weights_TK, offsets = ctx.saved_tensors
    need_x = ctx.needs_input_grad[0]
    if torch.is_grad_enabled():
        return tuple(second_order(reference.segment_pool, (x_TD, weights_TK, offsets), ctx.needs_input_grad, (dz_SKD,)))
    dx_TD, dw_TK = backward(dz_SKD, x_TD, weights_TK, offsets, need_x)
    return dx_TD if need_x else None, dw_TK, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def segment_pool(x: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    return forward(x, weights, offsets)


def declines(x: Tensor, weights: Tensor, offsets: Tensor) -> str | None:
    return unable(x, weights, offsets)


def pays(x: Tensor, weights: Tensor, offsets: Tensor) -> str | None:
    return worth(NAME, x.numel(), x)
