"""Attention of given scores over each segment, and weighted sums, by tiles of a segment's tokens.

Shapes: T tokens of all segments, S segments, K columns of scores, D width, G tiles.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.launch import cdiv, full_dtype, launch, power, register, second_order, tile, unable, worth
from kernels.ragged_tiles import cut
from kernels.segment_attend import reference

__all__ = ["attended", "declines", "pays", "segment_attend", "slopes"]

NAME = "segment_attend"
COLUMNS = 16  # that the gradient of scores takes at once: a sum of each is held for every token of a tile


def attended(x_TD: Tensor, scores_TK: Tensor, offsets: Tensor, softmax: bool) -> tuple[Tensor, Tensor]:
    """(z (S,K,D), log-sum-exp (S,K)); without softmax the scores are the weights, and there is nothing in the second.

    z is in full precision under softmax: the gradient subtracts z dz from nearly the same numbers where one token has all the weight.
    """
    full = full_dtype(x_TD, scores_TK)
    (tokens, width), columns, segments = x_TD.shape, scores_TK.shape[1], offsets.shape[0] - 1
    z_SKD = torch.empty((segments, columns, width), dtype=full if softmax else x_TD.dtype, device=x_TD.device)
    lse_SK = torch.empty((segments, columns) if softmax else 0, dtype=full, device=x_TD.device)
    sources = (x_TD, *x_TD.stride(), scores_TK, *scores_TK.stride())
    short = tile(NAME, "short", x_TD, width)
    if tokens <= segments * short["BLOCK_T"]:
        launch(
            NAME, "attend_short", (segments * columns, cdiv(width, short["BLOCK_D"])),
            z_SKD, lse_SK, *sources, offsets.long(), columns, width,
            tile=short, fusion=False, SOFTMAX=softmax, FULL=full,
        )  # fmt: skip
        return z_SKD, lse_SK
    shape = tile(NAME, "tiles", x_TD, width)
    tiles = cut(offsets, tokens, shape["BLOCK_T"])
    sum_GKD = torch.empty((tiles.number, columns, width), dtype=full, device=x_TD.device)
    top_GK = torch.empty((tiles.number, columns), dtype=full, device=x_TD.device)
    mass_GK = torch.empty_like(top_GK)
    launch(
        NAME, "attend_tiles", (tiles.number, cdiv(width, shape["BLOCK_D"])),
        sum_GKD, top_GK, mass_GK, *sources, *tiles.table, columns, width,
        tile=shape, fusion=False, SOFTMAX=softmax, FULL=full,
    )  # fmt: skip
    merging = tile(NAME, "merge", x_TD, width)
    launch(
        NAME, "attend_merge", (segments * columns, cdiv(width, merging["BLOCK_D"])),
        z_SKD, lse_SK, sum_GKD, top_GK, mass_GK, tiles.end_S, columns, width,
        tile=merging, fusion=False, SOFTMAX=softmax, FULL=full,
    )  # fmt: skip
    return z_SKD, lse_SK


def slopes(
    x_TD: Tensor, scores_TK: Tensor, offsets: Tensor, lse_SK: Tensor, dz_SKD: Tensor, rest_SK: Tensor, softmax: bool, need_x: bool
) -> tuple[Tensor, Tensor]:
    """(dx (T,D), empty unless it is needed; dscores (T,K))."""
    full = full_dtype(x_TD, scores_TK)
    (tokens, width), columns = x_TD.shape, scores_TK.shape[1]
    shape = tile(NAME, "tiles", x_TD, width)
    tiles = cut(offsets, tokens, shape["BLOCK_T"])
    dx_TD = torch.empty((tokens, width) if need_x else 0, dtype=x_TD.dtype, device=x_TD.device)
    ds_TK = torch.empty((tokens, columns), dtype=scores_TK.dtype, device=x_TD.device)
    scores = (scores_TK, *scores_TK.stride(), lse_SK, dz_SKD.contiguous())
    together = min(power(columns, 1), COLUMNS)
    launch(
        NAME, "score_slopes", (tiles.number, cdiv(columns, together)),
        ds_TK, x_TD, *x_TD.stride(), *scores, rest_SK, *tiles.table, columns, width,
        tile=shape, fusion=False, SOFTMAX=softmax, FULL=full, BLOCK_K=together,
    )  # fmt: skip
    if need_x:
        launch(
            NAME, "token_slopes", (tiles.number, cdiv(width, shape["BLOCK_D"])), dx_TD, *scores, *tiles.table, columns, width,
            tile=shape, fusion=False, SOFTMAX=softmax, FULL=full,
        )  # fmt: skip
    return dx_TD, ds_TK


@torch.library.custom_op("discern::segment_attend", mutates_args=())
def forward(x_TD: Tensor, scores_TK: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    return attended(x_TD, scores_TK, offsets, True)


def fake(x_TD: Tensor, scores_TK: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    of_segments, full = (offsets.shape[0] - 1, scores_TK.shape[1]), full_dtype(x_TD, scores_TK)
    return x_TD.new_empty((*of_segments, x_TD.shape[1]), dtype=full), x_TD.new_empty(of_segments, dtype=full)


@torch.library.custom_op("discern::segment_attend_backward", mutates_args=())
def backward(
    dz_SKD: Tensor, dlse_SK: Tensor, x_TD: Tensor, scores_TK: Tensor, offsets: Tensor, z_SKD: Tensor, lse_SK: Tensor, need_x: bool
) -> tuple[Tensor, Tensor]:
    rest_SK = dlse_SK - (z_SKD * dz_SKD).sum(-1)
    return slopes(x_TD, scores_TK, offsets, lse_SK, dz_SKD, rest_SK, True, need_x)


def fake_backward(
    dz_SKD: Tensor, dlse_SK: Tensor, x_TD: Tensor, scores_TK: Tensor, offsets: Tensor, z_SKD: Tensor, lse_SK: Tensor, need_x: bool
) -> tuple[Tensor, Tensor]:
    return x_TD.new_empty(x_TD.shape if need_x else 0), scores_TK.new_empty(scores_TK.shape)


def keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def gradients(ctx: Any, dz_SKD: Tensor, dlse_SK: Tensor) -> tuple[Tensor | None, ...]:
    x_TD, scores_TK, offsets, z_SKD, lse_SK = ctx.saved_tensors
    need_x = ctx.needs_input_grad[0]
    if torch.is_grad_enabled():
        return tuple(second_order(reference.segment_attend, (x_TD, scores_TK, offsets), ctx.needs_input_grad, (dz_SKD, dlse_SK)))
    dx_TD, ds_TK = backward(dz_SKD, dlse_SK, x_TD, scores_TK, offsets, z_SKD, lse_SK, need_x)
    return dx_TD if need_x else None, ds_TK, None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def segment_attend(x: Tensor, scores: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    z, lse = forward(x, scores, offsets)
    return z.to(x.dtype), lse


def declines(x: Tensor, scores: Tensor, offsets: Tensor) -> str | None:
    return unable(x, scores, offsets)


def pays(x: Tensor, scores: Tensor, offsets: Tensor) -> str | None:
    return worth(NAME, x.numel(), x)
