"""Softmax over segments by tiles of each: statistics of the tiles, their merge, the weights.

Shapes: T tokens of all segments, S segments, K columns, G tiles.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.launch import cdiv, full_dtype, launch, register, second_order, tile, unable, worth
from kernels.ragged_tiles import Tiles, cut
from kernels.segment_softmax import reference

__all__ = ["declines", "pays", "segment_softmax", "segment_sum"]

NAME = "segment_softmax"


def cut_for(x_TK: Tensor, offsets: Tensor) -> tuple[Tiles, dict[str, int], int]:
    """(tiles, the shape of their blocks, how many blocks of columns)."""
    shape = tile(NAME, "columns", x_TK, x_TK.shape[1])
    return cut(offsets, x_TK.shape[0], shape["BLOCK_T"]), shape, cdiv(x_TK.shape[1], shape["BLOCK_K"])


def stats(scores_TK: Tensor, offsets: Tensor, full: torch.dtype) -> tuple[Tensor, Tensor]:
    """(greatest scores, sums of exp(score - it)) of segments (S,K)."""
    tiles, shape, columns = cut_for(scores_TK, offsets)
    count, merging = scores_TK.shape[1], tile(NAME, "merge", scores_TK, scores_TK.shape[1])
    top_GK = torch.empty((tiles.number, count), dtype=full, device=scores_TK.device)
    mass_GK = torch.empty_like(top_GK)
    top_SK = torch.empty((len(tiles.end_S), count), dtype=full, device=scores_TK.device)
    mass_SK = torch.empty_like(top_SK)
    launch(
        NAME, "tile_stats", (tiles.number, columns), top_GK, mass_GK, scores_TK, *scores_TK.stride(), *tiles.table, count,
        tile=shape, fusion=False, FULL=full,
    )  # fmt: skip
    merged = top_SK, mass_SK, top_GK, mass_GK, tiles.end_S, count
    launch(NAME, "merge_stats", top_SK.shape, *merged, tile=merging, fusion=False, FULL=full)
    return top_SK, mass_SK


def segment_sum(a_TK: Tensor, b_TK: Tensor, offsets: Tensor, full: torch.dtype) -> Tensor:
    """Sums of a b over segments (S,K), always in the same order. a: contiguous."""
    tiles, shape, columns = cut_for(a_TK, offsets)
    count, merging = a_TK.shape[1], tile(NAME, "merge", a_TK, a_TK.shape[1])
    sum_GK = torch.empty((tiles.number, count), dtype=full, device=a_TK.device)
    sum_SK = torch.empty((len(tiles.end_S), count), dtype=full, device=a_TK.device)
    launch(
        NAME, "tile_products", (tiles.number, columns), sum_GK, a_TK, b_TK, *b_TK.stride(), *tiles.table, count,
        tile=shape, fusion=False, FULL=full,
    )  # fmt: skip
    launch(NAME, "merge_sums", sum_SK.shape, sum_SK, sum_GK, tiles.end_S, count, tile=merging, fusion=False, FULL=full)
    return sum_SK


@torch.library.custom_op("discern::segment_softmax", mutates_args=())
def forward(scores_TK: Tensor, offsets: Tensor) -> Tensor:
    weights_TK = fake(scores_TK, offsets)
    tiles, shape, columns = cut_for(scores_TK, offsets)
    launch(
        NAME, "weigh", (tiles.number, columns), weights_TK, scores_TK, *scores_TK.stride(), *stats(scores_TK, offsets, weights_TK.dtype),
        *tiles.table, scores_TK.shape[1], tile=shape, fusion=False, FULL=weights_TK.dtype,
    )  # fmt: skip
    return weights_TK


def fake(scores_TK: Tensor, offsets: Tensor) -> Tensor:
    return torch.empty(scores_TK.shape, dtype=full_dtype(scores_TK), device=scores_TK.device)


@torch.library.custom_op("discern::segment_softmax_backward", mutates_args=())
def backward(g_TK: Tensor, weights_TK: Tensor, offsets: Tensor, dtype: torch.dtype) -> Tensor:
    ds_TK = fake_backward(g_TK, weights_TK, offsets, dtype)
    tiles, shape, columns = cut_for(weights_TK, offsets)
    mean_SK = segment_sum(weights_TK, g_TK, offsets, weights_TK.dtype)
    launch(
        NAME, "slopes", (tiles.number, columns), ds_TK, weights_TK, g_TK, *g_TK.stride(), mean_SK, *tiles.table, ds_TK.shape[1],
        tile=shape, fusion=False, FULL=weights_TK.dtype,
    )  # fmt: skip
    return ds_TK


def fake_backward(g_TK: Tensor, weights_TK: Tensor, offsets: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.empty(weights_TK.shape, dtype=dtype, device=weights_TK.device)


def keep(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs, output)


def gradients(ctx: Any, g_TK: Tensor) -> tuple[Tensor | None, None]:
    scores_TK, offsets, weights_TK = ctx.saved_tensors
    if torch.is_grad_enabled():
        return second_order(reference.segment_softmax, (scores_TK, offsets), (True, False), (g_TK,))[0], None
    return backward(g_TK, weights_TK, offsets, scores_TK.dtype), None


register(forward, fake, gradients, keep)
register(backward, fake_backward)


def segment_softmax(scores: Tensor, offsets: Tensor) -> Tensor:
    return forward(scores, offsets) if scores.ndim == 2 else forward(scores.unsqueeze(-1), offsets).squeeze(-1)


def declines(scores: Tensor, offsets: Tensor) -> str | None:
    return unable(scores, offsets)


def pays(scores: Tensor, offsets: Tensor) -> str | None:
    return worth(NAME, scores.numel(), scores)
