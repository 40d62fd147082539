"""The kernels of reversed_attend, and of apply_transposed, whose queries have one value each (ROW: a number where a tile would be).

Shapes: B batch, H heads, N queries, M keys, D head width, E value width. What is held and what is looped over is chosen so that every
sum is one program's: no atomics.
"""

import triton
import triton.language as tl

from kernels.shared.triton import base2, logits, place, rows, softmax, store_rows


@triton.jit
def _values(x, x_i, i, N, E, ROW: tl.constexpr, BLOCK_E: tl.constexpr, FULL: tl.constexpr):
    """The rows i of x (N,E), or where E is 1 the numbers."""
    if ROW:
        return tl.load(x + i.to(tl.int64) * x_i, mask=i < N, other=0.0).to(FULL)
    else:
        return rows(x, x_i, i, N, E, BLOCK_E)


@triton.jit
def _carried(p, x, ROW: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """p @ x."""
    if ROW:
        return tl.sum(p * x[None, :], 1)
    else:
        return tl.dot(p.to(DOT), x.to(DOT), input_precision=PRECISION, out_dtype=FULL)


@triton.jit
def _nothing(BLOCK: tl.constexpr, BLOCK_E: tl.constexpr, ROW: tl.constexpr, FULL: tl.constexpr):
    if ROW:
        return tl.zeros((BLOCK,), FULL)
    else:
        return tl.zeros((BLOCK, BLOCK_E), FULL)


@triton.jit
def _store(x, i, value, N, E, ROW: tl.constexpr, BLOCK_E: tl.constexpr):
    if ROW:
        tl.store(x + i, value.to(x.dtype.element_ty), mask=i < N)
    else:
        store_rows(x, i, value, N, E, BLOCK_E)


@triton.jit
def forward(
    y, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_n, lse, mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    ROW: tl.constexpr, MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, VALUE_DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """y_j = sum_i P_ij v_i: a program holds keys and loops over the queries."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    j = block * BLOCK_M + tl.arange(0, BLOCK_M)
    k_MD = rows(k + b * k_b + h * k_h, k_m, j, M, D, BLOCK_D)
    q += b * q_b + h * q_h
    v += b * v_b + h * v_h
    lse += (b * H + h) * N
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    y_ME = _nothing(BLOCK_M, BLOCK_E, ROW, FULL)
    for start in range(0, N, BLOCK_N):
        i = start + tl.arange(0, BLOCK_N)
        s_MN = logits(k_MD, rows(q, q_n, i, N, D, BLOCK_D), j, i, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p_MN = softmax(s_MN, base2(lse, i, N, FULL)[None, :])
        y_ME += _carried(p_MN, _values(v, v_n, i, N, E, ROW, BLOCK_E, FULL), ROW, FULL, VALUE_DOT, PRECISION)
    _store(y + (b * H + h) * M * E, j, y_ME, M, E, ROW, BLOCK_E)


@triton.jit
def backward_queries(
    dq, dv, balance, g, g_b, g_h, g_m, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_n, lse,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    LOGITS: tl.constexpr, ROW: tl.constexpr, MASK: tl.constexpr,
    FULL: tl.constexpr, DOT: tl.constexpr, VALUE_DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dv_i = sum_j P_ij g_j, and with LOGITS dS = P (dP - balance), dP_ij = v_i . g_j, dq = scale dS k.

    balance_i = sum_j P_ij dP_ij is v_i . dv_i, so that the first loop over the keys has it for the second. With ROW the number v_i stays
    out of dP, balance and dS and comes after the product: of the size of 1 / N as P is, it would leave dS no digits in half precision.
    """
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    i = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, i, N, D, BLOCK_D)
    lse_N = base2(lse + (b * H + h) * N, i, N, FULL)
    k += b * k_b + h * k_h
    g += b * g_b + h * g_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dv_NE = _nothing(BLOCK_N, BLOCK_E, ROW, FULL)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s_NM = logits(q_ND, rows(k, k_m, j, M, D, BLOCK_D), i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p_NM = softmax(s_NM, lse_N[:, None])
        dv_NE += _carried(p_NM, _values(g, g_m, j, M, E, ROW, BLOCK_E, FULL), ROW, FULL, VALUE_DOT, PRECISION)
    _store(dv + (b * H + h) * N * E, i, dv_NE, N, E, ROW, BLOCK_E)
    if LOGITS:
        v_NE = _values(v + b * v_b + h * v_h, v_n, i, N, E, ROW, BLOCK_E, FULL)
        balance_N = dv_NE if ROW else tl.sum(v_NE.to(FULL) * dv_NE, 1)
        tl.store(balance + (b * H + h) * N + i, balance_N, mask=i < N)
        dq_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
        for start in range(0, M, BLOCK_M):
            j = start + tl.arange(0, BLOCK_M)
            k_MD = rows(k, k_m, j, M, D, BLOCK_D)
            s_NM = logits(q_ND, k_MD, i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
            p_NM = softmax(s_NM, lse_N[:, None])
            g_ME = _values(g, g_m, j, M, E, ROW, BLOCK_E, FULL)
            if ROW:
                dp_NM = g_ME[None, :]
            else:
                dp_NM = tl.dot(v_NE.to(VALUE_DOT), tl.trans(g_ME.to(VALUE_DOT)), input_precision=PRECISION, out_dtype=FULL)
            ds_NM = p_NM * (dp_NM - balance_N[:, None])
            dq_ND += tl.dot(ds_NM.to(DOT), k_MD.to(DOT), input_precision=PRECISION, out_dtype=FULL)
        if ROW:
            dq_ND *= v_NE[:, None]
        store_rows(dq + (b * H + h) * N * D, i, dq_ND * scale, N, D, BLOCK_D)


@triton.jit
def backward_keys(
    dk, balance, g, g_b, g_h, g_m, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_n, lse,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    ROW: tl.constexpr, MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, VALUE_DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dk = scale dS^T q; the map and all that is of its shape are transposed. With ROW the numbers v_i are factors of q, not of dS."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    j = block * BLOCK_M + tl.arange(0, BLOCK_M)
    k_MD = rows(k + b * k_b + h * k_h, k_m, j, M, D, BLOCK_D)
    g_ME = _values(g + b * g_b + h * g_h, g_m, j, M, E, ROW, BLOCK_E, FULL)
    q += b * q_b + h * q_h
    v += b * v_b + h * v_h
    lse += (b * H + h) * N
    balance += (b * H + h) * N
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dk_MD = tl.zeros((BLOCK_M, BLOCK_D), FULL)
    for start in range(0, N, BLOCK_N):
        i = start + tl.arange(0, BLOCK_N)
        q_ND = rows(q, q_n, i, N, D, BLOCK_D)
        s_MN = logits(k_MD, q_ND, j, i, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p_MN = softmax(s_MN, base2(lse, i, N, FULL)[None, :])
        v_NE = _values(v, v_n, i, N, E, ROW, BLOCK_E, FULL)
        if ROW:
            dp_MN = g_ME[:, None]
            q_ND = q_ND.to(FULL) * v_NE[:, None]
        else:
            dp_MN = tl.dot(g_ME.to(VALUE_DOT), tl.trans(v_NE.to(VALUE_DOT)), input_precision=PRECISION, out_dtype=FULL)
        ds_MN = p_MN * (dp_MN - tl.load(balance + i, mask=i < N, other=0.0)[None, :])
        dk_MD += tl.dot(ds_MN.to(DOT), q_ND.to(DOT), input_precision=PRECISION, out_dtype=FULL)
    store_rows(dk + (b * H + h) * M * D, j, dk_MD * scale, M, D, BLOCK_D)
