"""The kernels of gate_residual. Shapes: R rows, D width; a block is BLOCK_R x BLOCK_D of them."""

import triton
import triton.language as tl


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _block(R, D, BLOCK_R: tl.constexpr, BLOCK_D: tl.constexpr):
    r = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)[:, None]
    d = tl.program_id(1).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)[None, :]
    return r, d, (r < R) & (d < D)


@triton.jit
def _gate(gate, gate_r, gate_d, bias, bias_r, bias_d, r, d, inside, BIAS: tl.constexpr, FULL: tl.constexpr):
    logit = tl.load(gate + r * gate_r + d * gate_d, mask=inside, other=0.0).to(FULL)
    if BIAS:
        logit += tl.load(bias + r * bias_r + d * bias_d, mask=inside, other=0.0).to(FULL)
    return _sigmoid(logit)


@triton.jit
def forward(
    out, x, x_r, x_d, y, y_r, y_d, gate, gate_r, gate_d, bias, bias_r, bias_d, R, D,
    HAS_X: tl.constexpr, BIAS: tl.constexpr, FULL: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    r, d, inside = _block(R, D, BLOCK_R, BLOCK_D)
    answer = _gate(gate, gate_r, gate_d, bias, bias_r, bias_d, r, d, inside, BIAS, FULL)
    answer *= tl.load(y + r * y_r + d * y_d, mask=inside, other=0.0).to(FULL)
    if HAS_X:
        answer += tl.load(x + r * x_r + d * x_d, mask=inside, other=0.0).to(FULL)
    tl.store(out + r * D + d, answer.to(out.dtype.element_ty), mask=inside)


@triton.jit
def backward(
    dy, dlogit, by_column, by_row, g, g_r, g_d, y, y_r, y_d, gate, gate_r, gate_d, bias, bias_r, bias_d, R, D,
    BIAS: tl.constexpr, EACH: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr,
    FULL: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """dy = s g; dlogit = g y s (1 - s), written for each element (EACH), or summed over the block's rows (COLUMNS) or columns (ROWS):
    the blocks' sums are added up by the host in a fixed order, without atomics."""
    r, d, inside = _block(R, D, BLOCK_R, BLOCK_D)
    s = _gate(gate, gate_r, gate_d, bias, bias_r, bias_d, r, d, inside, BIAS, FULL)
    go = tl.load(g + r * g_r + d * g_d, mask=inside, other=0.0).to(FULL)
    tl.store(dy + r * D + d, (s * go).to(dy.dtype.element_ty), mask=inside)
    slope = go * tl.load(y + r * y_r + d * y_d, mask=inside, other=0.0).to(FULL) * s * (1.0 - s)
    if EACH:
        tl.store(dlogit + r * D + d, slope.to(dlogit.dtype.element_ty), mask=inside)
    if COLUMNS:
        d1 = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
        tl.store(by_column + tl.program_id(0).to(tl.int64) * D + d1, tl.sum(slope, 0), mask=d1 < D)
    if ROWS:
        r1 = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)
        tl.store(by_row + tl.program_id(1).to(tl.int64) * R + r1, tl.sum(slope, 1), mask=r1 < R)
