"""The kernels of history_attention.

Shapes: N nodes, L layers, D width, R rows of weights. A block has BLOCK_N nodes and all their layers, BLOCK_L >= L.
"""

import triton
import triton.language as tl

SIGNED, L1, SOFTMAX = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)


@triton.jit
def _sign(c):
    return (tl.where(c > 0, 1.0, 0.0) - tl.where(c < 0, 1.0, 0.0)).to(c.dtype)


@triton.jit
def _divisor(c, EPS: tl.constexpr):
    """Of `signed`: (divisor, whether the guard acts, the sign that it then has)."""
    size, total = tl.sum(tl.abs(c), 1), tl.sum(c, 1)
    sign = tl.where(total < 0, -1.0, 1.0)
    guarded = tl.abs(total) < EPS * size
    return tl.where(guarded, sign * (EPS * size), total), guarded, sign


@triton.jit
def _weights(c, present, L, EPS: tl.constexpr, NORM: tl.constexpr):
    """Rows of scores to weights; 0 beyond the last layer."""
    if NORM == SOFTMAX:
        c = tl.where(present[None, :], c, float("-inf"))
        top = tl.max(c, 1)
        e = tl.exp(c - tl.where(top == float("-inf"), 0.0, top)[:, None])
        mass = tl.sum(e, 1)
        a = e / tl.where(mass == 0.0, 1.0, mass)[:, None]
    else:
        c = tl.where(present[None, :], c, 0.0)
        size = tl.sum(tl.abs(c), 1)
        if NORM == L1:
            divisor = size
        else:
            divisor, _, _ = _divisor(c, EPS)
        zero = size == 0.0
        a = tl.where(zero[:, None], 1.0 / L, c / tl.where(zero, 1.0, divisor)[:, None])
    return tl.where(present[None, :], a, 0.0)


@triton.jit
def _slopes(c, a, da, present, EPS: tl.constexpr, NORM: tl.constexpr):
    """The gradient of the scores from that of the weights: da_j / divisor - (a . da) / divisor * d divisor / d c_j."""
    inner = tl.sum(a * da, 1)[:, None]
    if NORM == SOFTMAX:
        dc = a * (da - inner)
    else:
        c = tl.where(present[None, :], c, 0.0)
        size = tl.sum(tl.abs(c), 1)
        if NORM == L1:
            divisor, along = size, _sign(c)
        else:
            divisor, guarded, sign = _divisor(c, EPS)
            along = tl.where(guarded[:, None], sign[:, None] * (EPS * _sign(c)), 1.0)
        zero = size == 0.0
        dc = tl.where(zero[:, None], 0.0, (da - inner * along) / tl.where(zero, 1.0, divisor)[:, None])
    return tl.where(present[None, :], dc, 0.0)


@triton.jit
def _dots(
    x,
    x_n,
    x_l,
    x_d,
    v,
    v_n,
    v_d,
    n,
    layers,
    N,
    L,
    D,
    FULL: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_L: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """v_n . x_nl (BLOCK_N, BLOCK_L)."""
    c = tl.zeros([BLOCK_N, BLOCK_L], FULL)
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D).to(tl.int64)
        inside = (n < N)[:, None] & (d < D)[None, :]
        v_block = tl.load(v + n[:, None] * v_n + d[None, :] * v_d, mask=inside, other=0.0).to(FULL)
        at = x + n[:, None] * x_n + d[None, :] * x_d
        for layer in range(L):
            x_block = tl.load(at, mask=inside, other=0.0).to(FULL)
            c += tl.where(layers[None, :] == layer, tl.sum(x_block * v_block, 1)[:, None], 0.0)
            at += x_l  # not layer * x_l, which an int32 may not hold
    return c


@triton.jit
def _nodes(N, L, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr):
    n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    layers = tl.arange(0, BLOCK_L).to(tl.int64)
    return n, layers, (n < N)[:, None] & (layers < L)[None, :]


@triton.jit
def dots(
    c_NL, x, x_n, x_l, x_d, v, v_n, v_d, bias, bias_n, bias_l, N, L, D,
    BIAS: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """c_nl = v_n . x_nl + bias."""
    n, layers, here = _nodes(N, L, BLOCK_N, BLOCK_L)
    c = _dots(x, x_n, x_l, x_d, v, v_n, v_d, n, layers, N, L, D, FULL, BLOCK_N, BLOCK_L, BLOCK_D)
    if BIAS:
        c += tl.load(bias + n[:, None] * bias_n + layers[None, :] * bias_l, mask=here, other=0.0).to(FULL)
    tl.store(c_NL + n[:, None] * L + layers[None, :], c, mask=here)


@triton.jit
def normalise(a_RL, c_RL, R, L, EPS: tl.constexpr, NORM: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr):
    r, layers, here = _nodes(R, L, BLOCK_N, BLOCK_L)
    at = r[:, None] * L + layers[None, :]
    a = _weights(tl.load(c_RL + at, mask=here, other=0.0).to(FULL), layers < L, L, EPS, NORM)
    tl.store(a_RL + at, a, mask=here)


@triton.jit
def normalise_backward(
    dc_RL, da_RL, a_RL, c_RL, R, L, EPS: tl.constexpr, NORM: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr
):
    r, layers, here = _nodes(R, L, BLOCK_N, BLOCK_L)
    at = r[:, None] * L + layers[None, :]
    c, a = tl.load(c_RL + at, mask=here, other=0.0).to(FULL), tl.load(a_RL + at, mask=here, other=0.0).to(FULL)
    dc = _slopes(c, a, tl.load(da_RL + at, mask=here, other=0.0).to(FULL), layers < L, EPS, NORM)
    tl.store(dc_RL + at, dc, mask=here)


@triton.jit
def _mix(z, a, x, x_n, x_l, x_d, n, layers, N, L, D, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr):
    """z_n = sum_l a_nl x_nl; where the states were just read they come from the cache."""
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D).to(tl.int64)
        inside = (n < N)[:, None] & (d < D)[None, :]
        total = tl.zeros([BLOCK_N, BLOCK_D], FULL)
        at = x + n[:, None] * x_n + d[None, :] * x_d
        for layer in range(L):
            share = tl.sum(tl.where(layers[None, :] == layer, a, 0.0), 1)
            total += share[:, None] * tl.load(at, mask=inside, other=0.0).to(FULL)
            at += x_l
        tl.store(z + n[:, None] * D + d[None, :], total.to(z.dtype.element_ty), mask=inside)


@triton.jit
def mix(
    z, a_RL, row_N, x, x_n, x_l, x_d, N, L, D,
    FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """With the weights of the graph that a node belongs to."""
    n, layers, here = _nodes(N, L, BLOCK_N, BLOCK_L)
    row = tl.load(row_N + n, mask=n < N, other=0)
    a = tl.load(a_RL + row[:, None] * L + layers[None, :], mask=here, other=0.0)
    _mix(z, a, x, x_n, x_l, x_d, n, layers, N, L, D, FULL, BLOCK_N, BLOCK_D)


@triton.jit
def forward(
    z, a_NL, c_NL, x, x_n, x_l, x_d, u, u_n, u_d, bias, bias_n, bias_l, N, L, D,
    EPS: tl.constexpr, BIAS: tl.constexpr, NORM: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr,
    BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Scores, weights and sum of each node on its own, its states read from memory once."""
    n, layers, here = _nodes(N, L, BLOCK_N, BLOCK_L)
    c = _dots(x, x_n, x_l, x_d, u, u_n, u_d, n, layers, N, L, D, FULL, BLOCK_N, BLOCK_L, BLOCK_D)
    if BIAS:
        c += tl.load(bias + n[:, None] * bias_n + layers[None, :] * bias_l, mask=here, other=0.0).to(FULL)
    a = _weights(c, layers < L, L, EPS, NORM)
    at = n[:, None] * L + layers[None, :]
    tl.store(c_NL + at, c, mask=here)
    tl.store(a_NL + at, a, mask=here)
    _mix(z, a, x, x_n, x_l, x_d, n, layers, N, L, D, FULL, BLOCK_N, BLOCK_D)


@triton.jit
def _spread(
    dx, du, a, dc, x, x_n, x_l, x_d, g, g_n, g_d, u, u_n, u_d, n, layers, N, L, D,
    DX: tl.constexpr, DU: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """dx_nl = a_nl g_n + dc_nl u_n, written once; du_n = sum_l dc_nl x_nl."""
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D).to(tl.int64)
        inside = (n < N)[:, None] & (d < D)[None, :]
        g_block = tl.load(g + n[:, None] * g_n + d[None, :] * g_d, mask=inside, other=0.0).to(FULL)
        u_block = tl.load(u + n[:, None] * u_n + d[None, :] * u_d, mask=inside, other=0.0).to(FULL)
        total = tl.zeros([BLOCK_N, BLOCK_D], FULL)
        at = x + n[:, None] * x_n + d[None, :] * x_d
        for layer in range(L):
            slope = tl.sum(tl.where(layers[None, :] == layer, dc, 0.0), 1)[:, None]
            if DX:
                share = tl.sum(tl.where(layers[None, :] == layer, a, 0.0), 1)[:, None]
                tl.store(
                    dx + (n[:, None] * L + layer) * D + d[None, :], (share * g_block + slope * u_block).to(dx.dtype.element_ty), mask=inside
                )
            if DU:
                total += slope * tl.load(at, mask=inside, other=0.0).to(FULL)
                at += x_l
        if DU:
            tl.store(du + n[:, None] * D + d[None, :], total, mask=inside)


@triton.jit
def spread(
    dx, du, a_RL, dc_RL, row_N, x, x_n, x_l, x_d, g, g_n, g_d, u, u_n, u_d, N, L, D,
    DX: tl.constexpr, DU: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_L: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """With the weights and slopes of the graph that a node belongs to."""
    n, layers, here = _nodes(N, L, BLOCK_N, BLOCK_L)
    at = tl.load(row_N + n, mask=n < N, other=0)[:, None] * L + layers[None, :]
    a, dc = tl.load(a_RL + at, mask=here, other=0.0), tl.load(dc_RL + at, mask=here, other=0.0)
    _spread(dx, du, a, dc, x, x_n, x_l, x_d, g, g_n, g_d, u, u_n, u_d, n, layers, N, L, D, DX, DU, FULL, BLOCK_N, BLOCK_D)


@triton.jit
def backward(
    dx, du, dc_NL, da_NL, a_NL, c_NL, x, x_n, x_l, x_d, g, g_n, g_d, u, u_n, u_d, N, L, D,
    EPS: tl.constexpr, DX: tl.constexpr, DU: tl.constexpr, NORM: tl.constexpr, FULL: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_L: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Of nodes on their own: states read from memory once, their gradient written once."""
    n, layers, here = _nodes(N, L, BLOCK_N, BLOCK_L)
    at = n[:, None] * L + layers[None, :]
    da = _dots(x, x_n, x_l, x_d, g, g_n, g_d, n, layers, N, L, D, FULL, BLOCK_N, BLOCK_L, BLOCK_D)
    da += tl.load(da_NL + at, mask=here, other=0.0)
    a = tl.load(a_NL + at, mask=here, other=0.0)
    dc = _slopes(tl.load(c_NL + at, mask=here, other=0.0), a, da, layers < L, EPS, NORM)
    tl.store(dc_NL + at, dc, mask=here)
    _spread(dx, du, a, dc, x, x_n, x_l, x_d, g, g_n, g_d, u, u_n, u_d, n, layers, N, L, D, DX, DU, FULL, BLOCK_N, BLOCK_D)
