"""The kernels of paired_attention: one softmax over the keys of two sets, that are never put side by side.

Shapes: B batch, H heads, N queries, M keys of the first set, K of the second, D head width, E value width.
"""

import triton
import triton.language as tl

from kernels.shared.triton import base2, fold, log_sum, logits, place, rows, softmax, store_rows


@triton.jit
def _over(
    top, total, acc_NE, q_ND, k, k_m, v, v_m, mask, mask_n, mask_m, n, N, M, D, E, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """The keys and values of one more set: (greatest logit, sum, weighted sum of values) so far."""
    for start in range(0, M, BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k_MD = rows(k, k_m, m, M, D, BLOCK_D)
        s_NM = logits(q_ND, k_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        top, total, e_NM, factor = fold(top, total, s_NM)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        acc_NE = tl.dot(e_NM.to(DOT), v_ME, acc_NE * factor[:, None], input_precision=PRECISION, out_dtype=FULL)
    return top, total, acc_NE


@triton.jit
def forward(
    out, lse, own, q, q_b, q_h, q_n, k1, k1_b, k1_h, k1_m, v1, v1_b, v1_h, v1_m, k2, k2_b, k2_h, k2_m, v2, v2_b, v2_h, v2_m,
    mask1, mask1_b, mask1_h, mask1_n, mask1_m, mask2, mask2_b, mask2_h, mask2_n, mask2_m, H, N, M, K, D, E, scale,
    MASK1: tl.constexpr, MASK2: tl.constexpr, OWN: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """A block of queries over all keys. The own mass is what the sum was at the border between the sets, over what it is at the end."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, n, N, D, BLOCK_D)
    if MASK1 != "none":
        mask1 += b * mask1_b + h * mask1_h
    if MASK2 != "none":
        mask2 += b * mask2_b + h * mask2_h
    top = tl.full((BLOCK_N,), float("-inf"), FULL)
    total = tl.zeros((BLOCK_N,), FULL)
    acc_NE = tl.zeros((BLOCK_N, BLOCK_E), FULL)
    top, total, acc_NE = _over(
        top, total, acc_NE, q_ND, k1 + b * k1_b + h * k1_h, k1_m, v1 + b * v1_b + h * v1_h, v1_m, mask1, mask1_n, mask1_m,
        n, N, M, D, E, scale, MASK1, FULL, DOT, PRECISION, BLOCK_D, BLOCK_E, BLOCK_M,
    )  # fmt: skip
    top1, total1 = top, total
    top, total, acc_NE = _over(
        top, total, acc_NE, q_ND, k2 + b * k2_b + h * k2_h, k2_m, v2 + b * v2_b + h * v2_h, v2_m, mask2, mask2_n, mask2_m,
        n, N, K, D, E, scale, MASK2, FULL, DOT, PRECISION, BLOCK_D, BLOCK_E, BLOCK_M,
    )  # fmt: skip
    divisor = tl.where(total == 0.0, 1.0, total)
    store_rows(out + (b * H + h) * N * E, n, acc_NE / divisor[:, None], N, E, BLOCK_E)
    tl.store(lse + (b * H + h) * N + n, log_sum(top, total), mask=n < N)
    if OWN:
        share = tl.exp2(top1 - tl.where(top == float("-inf"), 0.0, top)) * total1 / divisor
        tl.store(own + (b * H + h) * N + n, share, mask=n < N)


@triton.jit
def row_sums(
    delta, g, g_b, g_h, g_n, out, H, N, E, FULL: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr
):  # fmt: skip
    """delta_i = g_i . o_i, which is what a row's P (g v^T) adds up to."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    g_NE = rows(g + b * g_b + h * g_h, g_n, n, N, E, BLOCK_E).to(FULL)
    o_NE = rows(out + (b * H + h) * N * E, E, n, N, E, BLOCK_E).to(FULL)
    tl.store(delta + (b * H + h) * N + n, tl.sum(g_NE * o_NE, 1), mask=n < N)


@triton.jit
def _slopes(
    acc_ND, q_ND, g_NE, lse_N1, delta_N1, k, k_m, v, v_m, mask, mask_n, mask_m, n, N, M, D, E, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """acc + dS k over the keys of one set, dS = P (g v^T - delta)."""
    for start in range(0, M, BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k_MD = rows(k, k_m, m, M, D, BLOCK_D)
        p_NM = softmax(logits(q_ND, k_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION), lse_N1)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        ds_NM = p_NM * (tl.dot(g_NE, tl.trans(v_ME), input_precision=PRECISION, out_dtype=FULL) - delta_N1)
        acc_ND = tl.dot(ds_NM.to(DOT), k_MD.to(DOT), acc_ND, input_precision=PRECISION, out_dtype=FULL)
    return acc_ND


@triton.jit
def queries(
    dq, g, g_b, g_h, g_n, lse, delta, q, q_b, q_h, q_n, k1, k1_b, k1_h, k1_m, v1, v1_b, v1_h, v1_m, k2, k2_b, k2_h, k2_m,
    v2, v2_b, v2_h, v2_m, mask1, mask1_b, mask1_h, mask1_n, mask1_m, mask2, mask2_b, mask2_h, mask2_n, mask2_m, H, N, M, K, D, E, scale,
    MASK1: tl.constexpr, MASK2: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dq = scale dS k of a block of queries over the keys of both sets."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, n, N, D, BLOCK_D)
    g_NE = rows(g + b * g_b + h * g_h, g_n, n, N, E, BLOCK_E).to(DOT)
    lse_N1 = base2(lse + (b * H + h) * N, n, N, FULL)[:, None]
    delta_N1 = tl.load(delta + (b * H + h) * N + n, mask=n < N, other=0.0)[:, None]
    if MASK1 != "none":
        mask1 += b * mask1_b + h * mask1_h
    if MASK2 != "none":
        mask2 += b * mask2_b + h * mask2_h
    acc_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
    acc_ND = _slopes(
        acc_ND, q_ND, g_NE, lse_N1, delta_N1, k1 + b * k1_b + h * k1_h, k1_m, v1 + b * v1_b + h * v1_h, v1_m, mask1, mask1_n, mask1_m,
        n, N, M, D, E, scale, MASK1, FULL, DOT, PRECISION, BLOCK_D, BLOCK_E, BLOCK_M,
    )  # fmt: skip
    acc_ND = _slopes(
        acc_ND, q_ND, g_NE, lse_N1, delta_N1, k2 + b * k2_b + h * k2_h, k2_m, v2 + b * v2_b + h * v2_h, v2_m, mask2, mask2_n, mask2_m,
        n, N, K, D, E, scale, MASK2, FULL, DOT, PRECISION, BLOCK_D, BLOCK_E, BLOCK_M,
    )  # fmt: skip
    store_rows(dq + (b * H + h) * N * D, n, acc_ND * scale, N, D, BLOCK_D)


@triton.jit
def keys(
    dk, dv, g, g_b, g_h, g_n, lse, delta, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_m,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dk = scale dS^T q and dv = P^T g of a block of keys of one set over all queries; the map lies transposed."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    m = block * BLOCK_M + tl.arange(0, BLOCK_M)
    k_MD = rows(k + b * k_b + h * k_h, k_m, m, M, D, BLOCK_D)
    v_ME = rows(v + b * v_b + h * v_h, v_m, m, M, E, BLOCK_E).to(DOT)
    q += b * q_b + h * q_h
    g += b * g_b + h * g_h
    lse += (b * H + h) * N
    delta += (b * H + h) * N
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dk_MD = tl.zeros((BLOCK_M, BLOCK_D), FULL)
    dv_ME = tl.zeros((BLOCK_M, BLOCK_E), FULL)
    for start in range(0, N, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        q_ND = rows(q, q_n, n, N, D, BLOCK_D)
        s_MN = logits(k_MD, q_ND, m, n, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p_MN = softmax(s_MN, base2(lse, n, N, FULL)[None, :])
        g_NE = rows(g, g_n, n, N, E, BLOCK_E).to(DOT)
        dv_ME = tl.dot(p_MN.to(DOT), g_NE, dv_ME, input_precision=PRECISION, out_dtype=FULL)
        delta_1N = tl.load(delta + n, mask=n < N, other=0.0)[None, :]
        ds_MN = p_MN * (tl.dot(v_ME, tl.trans(g_NE), input_precision=PRECISION, out_dtype=FULL) - delta_1N)
        dk_MD = tl.dot(ds_MN.to(DOT), q_ND.to(DOT), dk_MD, input_precision=PRECISION, out_dtype=FULL)
    store_rows(dk + (b * H + h) * M * D, m, dk_MD * scale, M, D, BLOCK_D)
    store_rows(dv + (b * H + h) * M * E, m, dv_ME, M, E, BLOCK_E)
