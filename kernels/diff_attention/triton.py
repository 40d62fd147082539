"""The kernels of diff_attention.

Shapes: B batch, H heads, G heads that share a subtracted map, N queries, M keys, D head width, E value width.
"""

import triton
import triton.language as tl

from kernels.shared.triton import base2, first_query, fold, last_key, log_sum, logits, past, place, rows, softmax, store_rows


@triton.jit
def forward(
    out, lse1, lse2, q1, q1_b, q1_h, q1_n, k1, k1_b, k1_h, k1_m, q2, q2_b, q2_h, q2_n, k2, k2_b, k2_h, k2_m, v, v_b, v_h, v_m, lam, lam_h,
    mask, mask_b, mask_h, mask_n, mask_m, H, G, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """A block of queries over all keys, twice: first the sums of both maps, then the values under their difference. One pass would hold
    two weighted sums of values, which do not fit the registers beside wide heads."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q1_ND = rows(q1 + b * q1_b + h * q1_h, q1_n, n, N, D, BLOCK_D)
    q2_ND = rows(q2 + b * q2_b + h // G * q2_h, q2_n, n, N, D, BLOCK_D)
    k1 += b * k1_b + h * k1_h
    k2 += b * k2_b + h // G * k2_h
    v += b * v_b + h * v_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    top1 = tl.full((BLOCK_N,), float("-inf"), FULL)
    top2 = tl.full((BLOCK_N,), float("-inf"), FULL)
    total1 = tl.zeros((BLOCK_N,), FULL)
    total2 = tl.zeros((BLOCK_N,), FULL)
    end = last_key(block, M, CAUSAL, BLOCK_N)
    for start in range(0, end, BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k1_MD = rows(k1, k1_m, m, M, D, BLOCK_D)
        s1_NM = logits(q1_ND, k1_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        top1, total1, _, _ = fold(top1, total1, past(s1_NM, n[:, None], m[None, :], CAUSAL))
        k2_MD = rows(k2, k2_m, m, M, D, BLOCK_D)
        s2_NM = logits(q2_ND, k2_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        top2, total2, _, _ = fold(top2, total2, past(s2_NM, n[:, None], m[None, :], CAUSAL))
    lse1 += (b * H + h) * N
    lse2 += (b * H + h) * N
    tl.store(lse1 + n, log_sum(top1, total1), mask=n < N)
    tl.store(lse2 + n, log_sum(top2, total2), mask=n < N)
    # maxima and factors rather than log-sum-exps: a division a row instead of a logarithm's rounding in every weight
    shift1_N1 = tl.where(total1 == 0.0, 0.0, top1)[:, None]
    shift2_N1 = tl.where(total2 == 0.0, 0.0, top2)[:, None]
    share1_N1 = (1.0 / tl.where(total1 == 0.0, 1.0, total1))[:, None]
    share2_N1 = (tl.load(lam + h * lam_h).to(FULL) / tl.where(total2 == 0.0, 1.0, total2))[:, None]
    acc_NE = tl.zeros((BLOCK_N, BLOCK_E), FULL)
    for start in range(0, end, BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k1_MD = rows(k1, k1_m, m, M, D, BLOCK_D)
        s1_NM = logits(q1_ND, k1_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p1_NM = softmax(past(s1_NM, n[:, None], m[None, :], CAUSAL), shift1_N1) * share1_N1
        k2_MD = rows(k2, k2_m, m, M, D, BLOCK_D)
        s2_NM = logits(q2_ND, k2_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p2_NM = softmax(past(s2_NM, n[:, None], m[None, :], CAUSAL), shift2_N1) * share2_N1
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        acc_NE = tl.dot((p1_NM - p2_NM).to(DOT), v_ME, acc_NE, input_precision=PRECISION, out_dtype=FULL)
    store_rows(out + (b * H + h) * N * E, n, acc_NE, N, E, BLOCK_E)


@triton.jit
def row_sums(
    delta1, delta2, g, g_b, g_h, g_n, out, lse2, q2, q2_b, q2_h, q2_n, k2, k2_b, k2_h, k2_m, v, v_b, v_h, v_m, lam, lam_h,
    mask, mask_b, mask_h, mask_n, mask_m, H, G, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """What the rows of P1 (g v^T) and P2 (g v^T) add up to. The second by a pass over the keys, for the forward pass never has P2 v;
    the first from g . o, which is the first less lam times the second."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    at = (b * H + h) * N
    q2_ND = rows(q2 + b * q2_b + h // G * q2_h, q2_n, n, N, D, BLOCK_D)
    g_NE = rows(g + b * g_b + h * g_h, g_n, n, N, E, BLOCK_E)
    o_NE = rows(out + at * E, E, n, N, E, BLOCK_E)
    both = tl.sum(g_NE.to(FULL) * o_NE.to(FULL), 1)
    g_NE = g_NE.to(DOT)
    lse_N1 = base2(lse2 + at, n, N, FULL)[:, None]
    k2 += b * k2_b + h // G * k2_h
    v += b * v_b + h * v_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    second = tl.zeros((BLOCK_N,), FULL)
    for start in range(0, last_key(block, M, CAUSAL, BLOCK_N), BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k2_MD = rows(k2, k2_m, m, M, D, BLOCK_D)
        s2_NM = logits(q2_ND, k2_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p2_NM = softmax(past(s2_NM, n[:, None], m[None, :], CAUSAL), lse_N1)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        second += tl.sum(p2_NM * tl.dot(g_NE, tl.trans(v_ME), input_precision=PRECISION, out_dtype=FULL), 1)
    tl.store(delta2 + at + n, second, mask=n < N)
    tl.store(delta1 + at + n, both + tl.load(lam + h * lam_h).to(FULL) * second, mask=n < N)


@triton.jit
def queries(
    dq1, dq2, g, g_b, g_h, g_n, lse1, lse2, delta1, delta2, q1, q1_b, q1_h, q1_n, k1, k1_b, k1_h, k1_m,
    q2, q2_b, q2_h, q2_n, k2, k2_b, k2_h, k2_m, v, v_b, v_h, v_m, lam, lam_h,
    mask, mask_b, mask_h, mask_n, mask_m, H, G, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dS1 = P1 (g v^T - delta1), dS2 = -lam P2 (g v^T - delta2); dq = scale dS k of both. dq2 is of each of the H heads."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    at = (b * H + h) * N
    q1_ND = rows(q1 + b * q1_b + h * q1_h, q1_n, n, N, D, BLOCK_D)
    q2_ND = rows(q2 + b * q2_b + h // G * q2_h, q2_n, n, N, D, BLOCK_D)
    g_NE = rows(g + b * g_b + h * g_h, g_n, n, N, E, BLOCK_E).to(DOT)
    lse1_N1 = base2(lse1 + at, n, N, FULL)[:, None]
    lse2_N1 = base2(lse2 + at, n, N, FULL)[:, None]
    delta1_N1 = tl.load(delta1 + at + n, mask=n < N, other=0.0)[:, None]
    delta2_N1 = tl.load(delta2 + at + n, mask=n < N, other=0.0)[:, None]
    k1 += b * k1_b + h * k1_h
    k2 += b * k2_b + h // G * k2_h
    v += b * v_b + h * v_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dq1_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
    dq2_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
    for start in range(0, last_key(block, M, CAUSAL, BLOCK_N), BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        gv_NM = tl.dot(g_NE, tl.trans(v_ME), input_precision=PRECISION, out_dtype=FULL)
        k1_MD = rows(k1, k1_m, m, M, D, BLOCK_D)
        s1_NM = logits(q1_ND, k1_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        ds1_NM = softmax(past(s1_NM, n[:, None], m[None, :], CAUSAL), lse1_N1) * (gv_NM - delta1_N1)
        dq1_ND = tl.dot(ds1_NM.to(DOT), k1_MD.to(DOT), dq1_ND, input_precision=PRECISION, out_dtype=FULL)
        k2_MD = rows(k2, k2_m, m, M, D, BLOCK_D)
        s2_NM = logits(q2_ND, k2_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        ds2_NM = softmax(past(s2_NM, n[:, None], m[None, :], CAUSAL), lse2_N1) * (gv_NM - delta2_N1)
        dq2_ND = tl.dot(ds2_NM.to(DOT), k2_MD.to(DOT), dq2_ND, input_precision=PRECISION, out_dtype=FULL)
    store_rows(dq1 + at * D, n, dq1_ND * scale, N, D, BLOCK_D)
    store_rows(dq2 + at * D, n, dq2_ND * (-scale * tl.load(lam + h * lam_h).to(FULL)), N, D, BLOCK_D)


@triton.jit
def keys(
    dk1, dk2, dv, g, g_b, g_h, g_n, lse1, lse2, delta1, delta2, q1, q1_b, q1_h, q1_n, k1, k1_b, k1_h, k1_m,
    q2, q2_b, q2_h, q2_n, k2, k2_b, k2_h, k2_m, v, v_b, v_h, v_m, lam, lam_h,
    mask, mask_b, mask_h, mask_n, mask_m, H, G, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dk = scale dS^T q of both maps and dv = (P1 - lam P2)^T g; the maps lie transposed. dk2 is of each of the H heads."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    m = block * BLOCK_M + tl.arange(0, BLOCK_M)
    at = (b * H + h) * N
    k1_MD = rows(k1 + b * k1_b + h * k1_h, k1_m, m, M, D, BLOCK_D)
    k2_MD = rows(k2 + b * k2_b + h // G * k2_h, k2_m, m, M, D, BLOCK_D)
    v_ME = rows(v + b * v_b + h * v_h, v_m, m, M, E, BLOCK_E).to(DOT)
    share = tl.load(lam + h * lam_h).to(FULL)
    q1 += b * q1_b + h * q1_h
    q2 += b * q2_b + h // G * q2_h
    g += b * g_b + h * g_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dk1_MD = tl.zeros((BLOCK_M, BLOCK_D), FULL)
    dk2_MD = tl.zeros((BLOCK_M, BLOCK_D), FULL)
    dv_ME = tl.zeros((BLOCK_M, BLOCK_E), FULL)
    for start in range(first_query(block, CAUSAL, BLOCK_N, BLOCK_M), N, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        g_NE = rows(g, g_n, n, N, E, BLOCK_E).to(DOT)
        gv_MN = tl.dot(v_ME, tl.trans(g_NE), input_precision=PRECISION, out_dtype=FULL)
        q1_ND = rows(q1, q1_n, n, N, D, BLOCK_D)
        s1_MN = logits(k1_MD, q1_ND, m, n, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p1_MN = softmax(past(s1_MN, n[None, :], m[:, None], CAUSAL), base2(lse1 + at, n, N, FULL)[None, :])
        ds1_MN = p1_MN * (gv_MN - tl.load(delta1 + at + n, mask=n < N, other=0.0)[None, :])
        dk1_MD = tl.dot(ds1_MN.to(DOT), q1_ND.to(DOT), dk1_MD, input_precision=PRECISION, out_dtype=FULL)
        q2_ND = rows(q2, q2_n, n, N, D, BLOCK_D)
        s2_MN = logits(k2_MD, q2_ND, m, n, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p2_MN = softmax(past(s2_MN, n[None, :], m[:, None], CAUSAL), base2(lse2 + at, n, N, FULL)[None, :])
        ds2_MN = p2_MN * (gv_MN - tl.load(delta2 + at + n, mask=n < N, other=0.0)[None, :])
        dk2_MD = tl.dot(ds2_MN.to(DOT), q2_ND.to(DOT), dk2_MD, input_precision=PRECISION, out_dtype=FULL)
        dv_ME = tl.dot((p1_MN - share * p2_MN).to(DOT), g_NE, dv_ME, input_precision=PRECISION, out_dtype=FULL)
    store_rows(dk1 + (b * H + h) * M * D, m, dk1_MD * scale, M, D, BLOCK_D)
    store_rows(dk2 + (b * H + h) * M * D, m, dk2_MD * (-scale * share), M, D, BLOCK_D)
    store_rows(dv + (b * H + h) * M * E, m, dv_ME, M, E, BLOCK_E)
