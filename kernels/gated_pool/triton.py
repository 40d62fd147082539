"""The kernels of gated_pool: the scores of its small network, and their gradient's way back to the network's inner sums.

Shapes: T tokens, D width, H hidden units, K columns of scores.
"""

import triton
import triton.language as tl


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):
    # of the size: exp of a large number would overflow
    e = tl.exp(-2.0 * tl.abs(x))
    t = (1.0 - e) / (1.0 + e)
    return tl.where(x < 0, -t, t)


@triton.jit
def _sums(
    x, x_t, x_d, net, net_d, net_h, bias, rows, h, T, H, D,
    BIAS: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """x net + bias of a block of tokens and units."""
    a = tl.zeros([BLOCK_T, BLOCK_H], FULL)
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D)
        x_at = x + rows[:, None] * x_t + d.to(tl.int64)[None, :] * x_d  # of the tokens alone: weights are never so far apart
        x_block = tl.load(x_at, mask=(rows < T)[:, None] & (d < D)[None, :], other=0.0).to(DOT)
        block = tl.load(net + d[:, None] * net_d + h[None, :] * net_h, mask=(d < D)[:, None] & (h < H)[None, :], other=0.0).to(DOT)
        a += tl.dot(x_block, block, out_dtype=FULL, input_precision=PRECISION)
    if BIAS:
        a += tl.load(bias + h, mask=h < H, other=0.0).to(FULL)[None, :]
    return a


@triton.jit
def _units(
    x, x_t, x_d, V, v_d, v_h, U, u_d, u_h, bv, bu, rows, h, T, H, D,
    TANH: tl.constexpr, GATED: tl.constexpr, BV: tl.constexpr, BU: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """(activated, gate); the gate is 1 where there is none."""
    t = _sums(x, x_t, x_d, V, v_d, v_h, bv, rows, h, T, H, D, BV, FULL, DOT, PRECISION, BLOCK_T, BLOCK_H, BLOCK_D)
    t = _tanh(t) if TANH else tl.maximum(t, 0.0)
    if GATED:
        q = _sigmoid(_sums(x, x_t, x_d, U, u_d, u_h, bu, rows, h, T, H, D, BU, FULL, DOT, PRECISION, BLOCK_T, BLOCK_H, BLOCK_D))
    else:
        q = tl.full([BLOCK_T, BLOCK_H], 1.0, FULL)
    return t, q


@triton.jit
def scores(
    scores_TK, x, x_t, x_d, V, v_d, v_h, U, u_d, u_h, w, w_h, w_k, bv, bu, T, D, H, K,
    TANH: tl.constexpr, GATED: tl.constexpr, BV: tl.constexpr, BU: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """act(x V + bv) sigmoid(x U + bu) w, a few units at a time: hidden units never leave the chip."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    columns = tl.arange(0, BLOCK_K)
    e = tl.zeros([BLOCK_T, BLOCK_K], FULL)
    for start in range(0, H, BLOCK_H):
        h = start + tl.arange(0, BLOCK_H)
        t, q = _units(
            x, x_t, x_d, V, v_d, v_h, U, u_d, u_h, bv, bu, rows, h, T, H, D,
            TANH, GATED, BV, BU, FULL, DOT, PRECISION, BLOCK_T, BLOCK_H, BLOCK_D,
        )  # fmt: skip
        for k in range(K):
            weight = tl.load(w + h * w_h + k * w_k, mask=h < H, other=0.0).to(FULL)
            e += tl.where(columns[None, :] == k, tl.sum(t * q * weight[None, :], 1)[:, None], 0.0)
    tl.store(scores_TK + rows[:, None] * K + columns[None, :], e, mask=(rows < T)[:, None] & (columns < K)[None, :])


@triton.jit
def slopes(
    da, dbias, dw, de_TK, x, x_t, x_d, V, v_d, v_h, U, u_d, u_h, w, w_h, w_k, bv, bu, first, T, D, H, K, G,
    TANH: tl.constexpr, GATED: tl.constexpr, BV: tl.constexpr, BU: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """The gradient of the inner sums, da (tokens of this piece, G), from that of the scores; with its sums over the block's tokens, dbias
    (blocks, G), and those for w, dw (blocks, H, K). Units are computed anew. first: the piece's first token; G: H, or 2 H with a gate."""
    block = tl.program_id(0).to(tl.int64)
    own = block * BLOCK_T + tl.arange(0, BLOCK_T)
    rows = first + own
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    t, q = _units(
        x, x_t, x_d, V, v_d, v_h, U, u_d, u_h, bv, bu, rows, h, T, H, D,
        TANH, GATED, BV, BU, FULL, DOT, PRECISION, BLOCK_T, BLOCK_H, BLOCK_D,
    )  # fmt: skip
    dh = tl.zeros([BLOCK_T, BLOCK_H], FULL)
    for k in range(K):
        de = tl.load(de_TK + rows * K + k, mask=rows < T, other=0.0).to(FULL)
        weight = tl.load(w + h * w_h + k * w_k, mask=h < H, other=0.0).to(FULL)
        dh += de[:, None] * weight[None, :]
        tl.store(dw + (block * H + h) * K + k, tl.sum(t * q * de[:, None], 0), mask=h < H)
    slope = (1.0 - t * t) if TANH else tl.where(t > 0, 1.0, 0.0)
    here = (rows < T)[:, None] & (h < H)[None, :]
    dt = dh * q * slope
    tl.store(da + own[:, None] * G + h[None, :], dt.to(da.dtype.element_ty), mask=here)
    tl.store(dbias + block * G + h, tl.sum(dt, 0), mask=h < H)
    if GATED:
        dq = dh * t * q * (1.0 - q)
        tl.store(da + own[:, None] * G + (H + h)[None, :], dq.to(da.dtype.element_ty), mask=here)
        tl.store(dbias + block * G + H + h, tl.sum(dq, 0), mask=h < H)
