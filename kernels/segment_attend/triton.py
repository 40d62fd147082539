"""The kernels of segment_attend and, without a softmax, of segment_pool.

Shapes: T tokens of all segments, S segments, K columns of scores, D width; G tiles of one segment's tokens, see ragged_tiles.py.
Columns are taken one after the other: there are few, and a tile of x is read once for all of them (score_slopes: for up to 16).
"""

import triton
import triton.language as tl

from kernels.segment_softmax.triton import finite, tile_range, tile_rows


@triton.jit
def attend_tiles(
    sum_GKD, top_GK, mass_GK, x, x_t, x_d, scores, by_t, by_k, segment_G, end_S, offsets, S, K, D,
    SOFTMAX: tl.constexpr, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Of each tile sum_t p_t x_t, p being exp(score - the tile's greatest), with that maximum and sum_t p_t; without SOFTMAX the score."""
    _, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    d = tl.program_id(1).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    x_block = tl.load(x + rows[:, None] * x_t + d[None, :] * x_d, mask=inside[:, None] & (d < D)[None, :], other=0.0).to(FULL)
    column = scores + rows * by_t
    for k in range(K):
        at = tl.program_id(0).to(tl.int64) * K + k
        if SOFTMAX:
            score = tl.load(column, mask=inside, other=float("-inf")).to(FULL)
            top = tl.max(score, 0)
            p = tl.exp(score - finite(top))
            tl.store(top_GK + at, top, mask=tl.program_id(1) == 0)
            tl.store(mass_GK + at, tl.sum(p, 0), mask=tl.program_id(1) == 0)
        else:
            p = tl.load(column, mask=inside, other=0.0).to(FULL)
        tl.store(sum_GKD + at * D + d, tl.sum(p[:, None] * x_block, 0), mask=d < D)
        column += by_k  # not k * by_k, which an int32 may not hold


@triton.jit
def attend_merge(
    z, lse_SK, sum_GKD, top_GK, mass_GK, end_S, K, D,
    SOFTMAX: tl.constexpr, FULL: tl.constexpr, BLOCK_G: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """The tiles of a segment brought to one maximum and added up in their order."""
    sk = tl.program_id(0).to(tl.int64)
    s, k = sk // K, sk % K
    d = tl.program_id(1).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, last = tile_range(end_S, s)
    top = tl.full([BLOCK_G], float("-inf"), FULL)
    if SOFTMAX:
        for start in range(first, last, BLOCK_G):
            g = start + tl.arange(0, BLOCK_G)
            top = tl.maximum(top, tl.load(top_GK + g * K + k, mask=g < last, other=float("-inf")))
    highest = finite(tl.max(top, 0))
    mass = tl.zeros([BLOCK_G], FULL)
    total = tl.zeros([BLOCK_D], FULL)
    for start in range(first, last, BLOCK_G):
        g = start + tl.arange(0, BLOCK_G)
        piece = tl.load(sum_GKD + (g * K + k)[:, None] * D + d[None, :], mask=(g < last)[:, None] & (d < D)[None, :], other=0.0)
        if SOFTMAX:
            # a top of -inf stays: as 0 it could lie far above the highest, and nothing times infinity is no number
            scale = tl.exp(tl.load(top_GK + g * K + k, mask=g < last, other=float("-inf")) - highest)
            mass += tl.load(mass_GK + g * K + k, mask=g < last, other=0.0) * scale
            piece *= scale[:, None]
        total += tl.sum(piece, 0)
    if SOFTMAX:
        whole = tl.sum(mass, 0)
        shown = tl.where(whole == 0.0, 1.0, whole)
        total /= shown
        tl.store(lse_SK + sk, tl.where(whole == 0.0, float("-inf"), highest + tl.log(shown)), mask=tl.program_id(1) == 0)
    tl.store(z + sk * D + d, total.to(z.dtype.element_ty), mask=d < D)


@triton.jit
def attend_short(
    z, lse_SK, x, x_t, x_d, scores, by_t, by_k, offsets, K, D,
    SOFTMAX: tl.constexpr, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """A segment a program, for segments that are short as a rule: nothing to merge. A long one is right, too, only not fast."""
    sk = tl.program_id(0).to(tl.int64)
    s, k = sk // K, sk % K
    d = tl.program_id(1).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, last = tl.load(offsets + s), tl.load(offsets + s + 1)
    top = tl.full([], float("-inf"), FULL)
    mass = tl.zeros([], FULL)
    total = tl.zeros([BLOCK_D], FULL)
    for start in range(first, last, BLOCK_T):
        rows = start + tl.arange(0, BLOCK_T)
        inside = rows < last
        x_block = tl.load(x + rows[:, None] * x_t + d[None, :] * x_d, mask=inside[:, None] & (d < D)[None, :], other=0.0).to(FULL)
        if SOFTMAX:
            score = tl.load(scores + rows * by_t + k * by_k, mask=inside, other=float("-inf")).to(FULL)
            higher = tl.maximum(top, tl.max(score, 0))
            p = tl.exp(score - finite(higher))
            shrink = tl.exp(top - finite(higher))
            mass = mass * shrink + tl.sum(p, 0)
            total = total * shrink + tl.sum(p[:, None] * x_block, 0)
            top = higher
        else:
            p = tl.load(scores + rows * by_t + k * by_k, mask=inside, other=0.0).to(FULL)
            total += tl.sum(p[:, None] * x_block, 0)
    if SOFTMAX:
        shown = tl.where(mass == 0.0, 1.0, mass)
        total /= shown
        tl.store(lse_SK + sk, tl.where(mass == 0.0, float("-inf"), finite(top) + tl.log(shown)), mask=tl.program_id(1) == 0)
    tl.store(z + sk * D + d, total.to(z.dtype.element_ty), mask=d < D)


@triton.jit
def score_slopes(
    ds, x, x_t, x_d, scores, by_t, by_k, lse_SK, dz_SKD, rest_SK, segment_G, end_S, offsets, S, K, D,
    SOFTMAX: tl.constexpr, FULL: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """ds = p (x . dz + rest), rest being dlse - z . dz; without SOFTMAX x . dz alone. BLOCK_K columns share one read of x."""
    s, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    first = tl.program_id(1).to(tl.int64) * BLOCK_K
    columns = first + tl.arange(0, BLOCK_K)
    along = tl.zeros([BLOCK_T, BLOCK_K], FULL)
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D).to(tl.int64)
        x_block = tl.load(x + rows[:, None] * x_t + d[None, :] * x_d, mask=inside[:, None] & (d < D)[None, :], other=0.0).to(FULL)
        for k in range(first, tl.minimum(first + BLOCK_K, K)):
            dz = tl.load(dz_SKD + (s * K + k) * D + d, mask=d < D, other=0.0).to(FULL)
            along += tl.where(columns[None, :] == k, tl.sum(x_block * dz[None, :], 1)[:, None], 0.0)
    here = inside[:, None] & (columns < K)[None, :]
    if SOFTMAX:
        at = s * K + columns
        score = tl.load(scores + rows[:, None] * by_t + columns[None, :] * by_k, mask=here, other=float("-inf")).to(FULL)
        p = tl.exp(score - finite(tl.load(lse_SK + at, mask=columns < K, other=0.0))[None, :])
        along = p * (along + tl.load(rest_SK + at, mask=columns < K, other=0.0)[None, :])
    tl.store(ds + rows[:, None] * K + columns[None, :], along.to(ds.dtype.element_ty), mask=here)


@triton.jit
def token_slopes(
    dx, scores, by_t, by_k, lse_SK, dz_SKD, segment_G, end_S, offsets, S, K, D,
    SOFTMAX: tl.constexpr, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """dx = sum_k p_k dz_k."""
    s, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    d = tl.program_id(1).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    total = tl.zeros([BLOCK_T, BLOCK_D], FULL)
    column = scores + rows * by_t
    for k in range(K):
        if SOFTMAX:
            score = tl.load(column, mask=inside, other=float("-inf")).to(FULL)
            p = tl.exp(score - finite(tl.load(lse_SK + s * K + k)))
        else:
            p = tl.load(column, mask=inside, other=0.0).to(FULL)
        column += by_k
        total += p[:, None] * tl.load(dz_SKD + (s * K + k) * D + d, mask=d < D, other=0.0).to(FULL)[None, :]
    tl.store(dx + rows[:, None] * D + d[None, :], total.to(dx.dtype.element_ty), mask=inside[:, None] & (d < D)[None, :])
