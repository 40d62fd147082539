"""Gated attention pooling: the scores in one launch, hidden units never in memory, then segment_attend's kernels.

Kept for the gradient: x, the scores (T,K), the answers. Backward, hidden units are computed again for a piece of the tokens at a time, and
the products with x and the weights, which are plain ones, are torch's.

Shapes: T tokens of all segments, S segments, D width, H hidden units, K columns of scores, R tokens of a piece,
G = 2 H, or H without a gate.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.gated_pool import reference
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
    unable,
    worth,
)
from kernels.segment_attend.triton_form import attended, slopes

__all__ = ["declines", "gated_pool", "pays"]

NAME = "gated_pool"
PIECE = 2**15  # tokens: their gradients take 2 H numbers each, and no more than so many of them are ever there
COLUMNS = 16


def network(
    x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, bv: Tensor | None, bu: Tensor | None, act: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """(arguments, constants) of a kernel that computes units."""
    gate = V if U is None else U
    arguments = (x, *x.stride(), V, *V.stride(), gate, *gate.stride(), w, *w.stride(), w if bv is None else bv, w if bu is None else bu)
    constants = {
        "TANH": act == "tanh", "GATED": U is not None, "BV": bv is not None, "BU": bu is not None,
        "FULL": full_dtype(x), "DOT": dot_dtype(x, V), "PRECISION": precision(), "BLOCK_K": power(w.shape[1], 1),
    }  # fmt: skip
    return arguments, constants


@torch.library.custom_op("discern::gated_pool", mutates_args=())
def forward(
    x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, offsets: Tensor, bv: Tensor | None, bu: Tensor | None, act: str
) -> tuple[Tensor, Tensor, Tensor]:
    """(z, lse, scores)."""
    scores_TK = torch.empty((x.shape[0], w.shape[1]), dtype=full_dtype(x), device=x.device)
    arguments, constants = network(x, V, U, w, bv, bu, act)
    shape = tile(NAME, "scores", x, w.shape[0])
    launch(
        NAME,
        "scores",
        (cdiv(x.shape[0], shape["BLOCK_T"]),),
        scores_TK,
        *arguments,
        *x.shape,
        *w.shape,
        tile=shape,
        fusion=True,
        **constants,
    )
    return *attended(x, scores_TK, offsets, True), scores_TK


def fake(
    x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, offsets: Tensor, bv: Tensor | None, bu: Tensor | None, act: str
) -> tuple[Tensor, Tensor, Tensor]:
    (tokens, width), columns, segments, full = x.shape, w.shape[1], offsets.shape[0] - 1, full_dtype(x)
    lse_SK = x.new_empty((segments, columns), dtype=full)
    return x.new_empty((segments, columns, width), dtype=full), lse_SK, x.new_empty((tokens, columns), dtype=full)


@torch.library.custom_op("discern::gated_pool_backward", mutates_args=())
def backward(
    dz_SKD: Tensor, dlse_SK: Tensor, x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, offsets: Tensor, bv: Tensor | None,
    bu: Tensor | None, act: str, z_SKD: Tensor, lse_SK: Tensor, scores_TK: Tensor, need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """(dx, empty unless it is needed; d[V|U]; dw; d[bv|bu]), the last three in full precision."""
    full, (tokens, width), (hidden, columns) = full_dtype(x), x.shape, w.shape
    rest_SK = dlse_SK - (z_SKD * dz_SKD).sum(-1)
    dx, de_TK = slopes(x, scores_TK, offsets, lse_SK, dz_SKD, rest_SK, True, need_x)
    stacked_DG = V if U is None else torch.cat([V, U], 1)
    units = stacked_DG.shape[1]
    inner = torch.promote_types(x.dtype, V.dtype)
    arguments, constants = network(x, V, U, w, bv, bu, act)
    shape = tile(NAME, "slopes", x, hidden)
    dstacked_DG = torch.zeros((width, units), dtype=full, device=x.device)
    dw_HK = torch.zeros((hidden, columns), dtype=full, device=x.device)
    dbias_G = torch.zeros(units, dtype=full, device=x.device)
    for first in range(0, tokens, PIECE):
        piece = x[first : first + PIECE]
        blocks = cdiv(piece.shape[0], shape["BLOCK_T"])
        da_RG = torch.empty((piece.shape[0], units), dtype=inner, device=x.device)
        bias_parts = torch.empty((blocks, units), dtype=full, device=x.device)
        w_parts = torch.empty((blocks, hidden, columns), dtype=full, device=x.device)
        launch(
            NAME, "slopes", (blocks, cdiv(hidden, shape["BLOCK_H"])), da_RG, bias_parts, w_parts, de_TK, *arguments,
            first, first + piece.shape[0], width, hidden, columns, units, tile=shape, fusion=True, **constants,
        )  # fmt: skip
        dstacked_DG += piece.to(inner).t() @ da_RG
        dw_HK += w_parts.sum(0)
        dbias_G += bias_parts.sum(0)
        if need_x:
            dx[first : first + PIECE] += (da_RG @ stacked_DG.to(inner).t()).to(x.dtype)
    return dx, dstacked_DG, dw_HK, dbias_G


def fake_backward(
    dz_SKD: Tensor, dlse_SK: Tensor, x: Tensor, V: Tensor, U: Tensor | None, w: Tensor, offsets: Tensor, bv: Tensor | None,
    bu: Tensor | None, act: str, z_SKD: Tensor, lse_SK: Tensor, scores_TK: Tensor, need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    full, units = full_dtype(x), V.shape[1] * (1 if U is None else 2)
    dx = x.new_empty(x.shape if need_x else 0)
    return dx, x.new_empty((x.shape[1], units), dtype=full), x.new_empty(w.shape, dtype=full), x.new_empty(units, dtype=full)


def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    *tensors, act = inputs
    ctx.save_for_backward(*tensors, *output)
    ctx.act = act


def gradients(ctx: Any, dz_SKD: Tensor, dlse_SK: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    x, V, U, w, offsets, bv, bu, z_SKD, lse_SK, scores_TK = ctx.saved_tensors
    need = ctx.needs_input_grad
    if torch.is_grad_enabled():
        whole = partial(reference.gated_pool, act=ctx.act)
        return *second_order(whole, (x, V, U, w, offsets, bv, bu), need[:7], (dz_SKD, dlse_SK)), None
    dx, dstacked_DG, dw_HK, dbias_G = backward(dz_SKD, dlse_SK, x, V, U, w, offsets, bv, bu, ctx.act, z_SKD, lse_SK, scores_TK, need[0])
    hidden = w.shape[0]
    return (
        dx if need[0] else None,
        dstacked_DG[:, :hidden].to(V.dtype),
        None if U is None else dstacked_DG[:, hidden:].to(U.dtype),
        dw_HK.to(w.dtype),
        None,
        None if bv is None else dbias_G[:hidden].to(bv.dtype),
        None if bu is None else dbias_G[hidden:].to(bu.dtype),
        None,
    )


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def gated_pool(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> tuple[Tensor, Tensor]:
    tokens_TD, *nets = in_autocast_dtype(x, V, U)
    z_SKD, lse_SK, _ = forward(tokens_TD, *nets, w, offsets, bv, bu, act)
    return z_SKD.to(tokens_TD.dtype), lse_SK


def declines(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> str | None:
    if w.shape[1] > COLUMNS:
        return f"it has at most {COLUMNS} columns of scores, not {w.shape[1]}"
    return unable(x, V, U, w, offsets, bv, bu)


def pays(
    x: Tensor,
    V: Tensor,
    U: Tensor | None,
    w: Tensor,
    offsets: Tensor,
    bv: Tensor | None = None,
    bu: Tensor | None = None,
    act: str = "tanh",
) -> str | None:
    return worth(NAME, x.shape[0], x)
