"""The kernels of segment_softmax, and of sums over segments.

Shapes: T tokens of all segments, S segments, K columns; G tiles of at most BLOCK_T tokens of one segment, see ragged_tiles.py.
A tile of its own for each segment's piece, then a merge of the pieces in their order: no atomics, and the same sum every time.
"""

import triton
import triton.language as tl


@triton.jit
def tile_rows(segment_G, end_S, offsets, S, BLOCK_T: tl.constexpr):
    """(segment, rows, which of them are the tile's) of this program; none for a tile too many."""
    g = tl.program_id(0)
    s = tl.load(segment_G + g)
    real = s < S
    s = tl.where(real, s, 0)
    before = tl.load(end_S + s - 1, mask=s > 0, other=0)
    rows = tl.load(offsets + s) + (g - before) * BLOCK_T + tl.arange(0, BLOCK_T)
    return s, rows, (rows < tl.load(offsets + s + 1)) & real


@triton.jit
def tile_range(end_S, s):
    """The tiles of a segment."""
    return tl.load(end_S + s - 1, mask=s > 0, other=0), tl.load(end_S + s)


@triton.jit
def finite(top):
    """-inf, the maximum of nothing, as 0: nothing is subtracted from nothing."""
    return tl.where(top == float("-inf"), 0.0, top)


@triton.jit
def tile_stats(
    top_GK, mass_GK, scores, by_t, by_k, segment_G, end_S, offsets, S, K, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_K: tl.constexpr
):
    """The greatest score of each tile and column, and the sum of exp(score - it)."""
    _, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    k = tl.program_id(1).to(tl.int64) * BLOCK_K + tl.arange(0, BLOCK_K)
    here = inside[:, None] & (k < K)[None, :]
    s = tl.load(scores + rows[:, None] * by_t + k[None, :] * by_k, mask=here, other=float("-inf")).to(FULL)
    top = tl.max(s, 0)
    mass = tl.sum(tl.exp(s - finite(top)[None, :]), 0)
    at = tl.program_id(0).to(tl.int64) * K + k
    tl.store(top_GK + at, top, mask=k < K)
    tl.store(mass_GK + at, mass, mask=k < K)


@triton.jit
def merge_stats(top_SK, mass_SK, top_GK, mass_GK, end_S, K, FULL: tl.constexpr, BLOCK_G: tl.constexpr):
    """The greatest score of each segment and column, and the sum of exp(score - it); 0 and 1 where there is no score."""
    s, k = tl.program_id(0).to(tl.int64), tl.program_id(1)
    first, last = tile_range(end_S, s)
    top = tl.full([BLOCK_G], float("-inf"), FULL)
    for start in range(first, last, BLOCK_G):
        g = start + tl.arange(0, BLOCK_G)
        top = tl.maximum(top, tl.load(top_GK + g * K + k, mask=g < last, other=float("-inf")))
    highest = finite(tl.max(top, 0))
    mass = tl.zeros([BLOCK_G], FULL)
    for start in range(first, last, BLOCK_G):
        g = start + tl.arange(0, BLOCK_G)
        piece = tl.load(mass_GK + g * K + k, mask=g < last, other=0.0)
        # a top of -inf stays: as 0 it could lie far above the highest, and nothing times infinity is no number
        mass += piece * tl.exp(tl.load(top_GK + g * K + k, mask=g < last, other=float("-inf")) - highest)
    total = tl.sum(mass, 0)
    tl.store(top_SK + s * K + k, highest)
    tl.store(mass_SK + s * K + k, tl.where(total == 0.0, 1.0, total))


@triton.jit
def weigh(
    weights, scores, by_t, by_k, top_SK, mass_SK, segment_G, end_S, offsets, S, K,
    FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """exp(score - top) / mass, (T,K): the log-sum-exp of great scores would carry a rounding of its own into every weight."""
    s, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    k = tl.program_id(1).to(tl.int64) * BLOCK_K + tl.arange(0, BLOCK_K)
    here = inside[:, None] & (k < K)[None, :]
    score = tl.load(scores + rows[:, None] * by_t + k[None, :] * by_k, mask=here, other=float("-inf")).to(FULL)
    top = tl.load(top_SK + s * K + k, mask=k < K, other=0.0)
    mass = tl.load(mass_SK + s * K + k, mask=k < K, other=1.0)
    tl.store(weights + rows[:, None] * K + k[None, :], tl.exp(score - top[None, :]) / mass[None, :], mask=here)


@triton.jit
def tile_products(
    sum_GK, a, b, b_t, b_k, segment_G, end_S, offsets, S, K, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_K: tl.constexpr
):
    """The sum over each tile of a b; a is (T,K) contiguous."""
    _, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    k = tl.program_id(1).to(tl.int64) * BLOCK_K + tl.arange(0, BLOCK_K)
    here = inside[:, None] & (k < K)[None, :]
    product = tl.load(a + rows[:, None] * K + k[None, :], mask=here, other=0.0).to(FULL)
    product *= tl.load(b + rows[:, None] * b_t + k[None, :] * b_k, mask=here, other=0.0).to(FULL)
    tl.store(sum_GK + tl.program_id(0).to(tl.int64) * K + k, tl.sum(product, 0), mask=k < K)


@triton.jit
def merge_sums(sum_SK, sum_GK, end_S, K, FULL: tl.constexpr, BLOCK_G: tl.constexpr):
    s, k = tl.program_id(0).to(tl.int64), tl.program_id(1)
    first, last = tile_range(end_S, s)
    total = tl.zeros([BLOCK_G], FULL)
    for start in range(first, last, BLOCK_G):
        g = start + tl.arange(0, BLOCK_G)
        total += tl.load(sum_GK + g * K + k, mask=g < last, other=0.0)
    tl.store(sum_SK + s * K + k, tl.sum(total, 0))


@triton.jit
def slopes(
    ds, weights, g, g_t, g_k, mean_SK, segment_G, end_S, offsets, S, K, FULL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_K: tl.constexpr
):
    """ds = p (g - sum p g)."""
    s, rows, inside = tile_rows(segment_G, end_S, offsets, S, BLOCK_T)
    k = tl.program_id(1).to(tl.int64) * BLOCK_K + tl.arange(0, BLOCK_K)
    here = inside[:, None] & (k < K)[None, :]
    p = tl.load(weights + rows[:, None] * K + k[None, :], mask=here, other=0.0).to(FULL)
    go = tl.load(g + rows[:, None] * g_t + k[None, :] * g_k, mask=here, other=0.0).to(FULL)
    mean = tl.load(mean_SK + s * K + k, mask=k < K, other=0.0)
    tl.store(ds + rows[:, None] * K + k[None, :], (p * (go - mean[None, :])).to(ds.dtype.element_ty), mask=here)
