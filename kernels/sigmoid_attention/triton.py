"""The kernels of sigmoid_attention: no maximum, no sum of rows, nothing kept but the inputs.

Shapes: B batch, H heads, N queries, M keys, D head width, E value width.
"""

import triton
import triton.language as tl

from kernels.shared.triton import LOG2E, first_query, last_key, logits, past, place, rows, store_rows


@triton.jit
def _sigmoid(s):
    """Of a logit in base 2. Exactly 0 of -inf, for exp2 of infinity is infinite."""
    return 1.0 / (1.0 + tl.exp2(-s))


@triton.jit
def _bias(bias, bias_n, n, N, FULL: tl.constexpr):
    return tl.load(bias + n.to(tl.int64) * bias_n, mask=n < N, other=0.0).to(FULL) * LOG2E


@triton.jit
def forward(
    out, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_m, bias, bias_b, bias_h, bias_n,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """A block of queries over all keys."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, n, N, D, BLOCK_D)
    bias_N1 = _bias(bias + b * bias_b + h * bias_h, bias_n, n, N, FULL)[:, None]
    k += b * k_b + h * k_h
    v += b * v_b + h * v_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    acc_NE = tl.zeros((BLOCK_N, BLOCK_E), FULL)
    for start in range(0, last_key(block, M, CAUSAL, BLOCK_N), BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k_MD = rows(k, k_m, m, M, D, BLOCK_D)
        s_NM = logits(q_ND, k_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p_NM = _sigmoid(past(s_NM, n[:, None], m[None, :], CAUSAL) + bias_N1)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        acc_NE = tl.dot(p_NM.to(DOT), v_ME, acc_NE, input_precision=PRECISION, out_dtype=FULL)
    store_rows(out + (b * H + h) * N * E, n, acc_NE, N, E, BLOCK_E)


@triton.jit
def queries(
    dq, dbias, g, g_b, g_h, g_n, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_m, bias, bias_b, bias_h, bias_n,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dS = P (1 - P) (g v^T); dq = scale dS k and the gradient of each row's bias, sum_j dS_ij, of a block of queries over all keys."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, n, N, D, BLOCK_D)
    g_NE = rows(g + b * g_b + h * g_h, g_n, n, N, E, BLOCK_E).to(DOT)
    bias_N1 = _bias(bias + b * bias_b + h * bias_h, bias_n, n, N, FULL)[:, None]
    k += b * k_b + h * k_h
    v += b * v_b + h * v_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    acc_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
    total = tl.zeros((BLOCK_N,), FULL)
    for start in range(0, last_key(block, M, CAUSAL, BLOCK_N), BLOCK_M):
        m = start + tl.arange(0, BLOCK_M)
        k_MD = rows(k, k_m, m, M, D, BLOCK_D)
        s_NM = logits(q_ND, k_MD, n, m, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        p_NM = _sigmoid(past(s_NM, n[:, None], m[None, :], CAUSAL) + bias_N1)
        v_ME = rows(v, v_m, m, M, E, BLOCK_E).to(DOT)
        ds_NM = p_NM * (1.0 - p_NM) * tl.dot(g_NE, tl.trans(v_ME), input_precision=PRECISION, out_dtype=FULL)
        total += tl.sum(ds_NM, 1)
        acc_ND = tl.dot(ds_NM.to(DOT), k_MD.to(DOT), acc_ND, input_precision=PRECISION, out_dtype=FULL)
    store_rows(dq + (b * H + h) * N * D, n, acc_ND * scale, N, D, BLOCK_D)
    tl.store(dbias + (b * H + h) * N + n, total, mask=n < N)


@triton.jit
def keys(
    dk, dv, g, g_b, g_h, g_n, q, q_b, q_h, q_n, k, k_b, k_h, k_m, v, v_b, v_h, v_m, bias, bias_b, bias_h, bias_n,
    mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, E, scale,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dk = scale dS^T q and dv = P^T g of a block of keys over all queries; the map lies transposed."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    m = block * BLOCK_M + tl.arange(0, BLOCK_M)
    k_MD = rows(k + b * k_b + h * k_h, k_m, m, M, D, BLOCK_D)
    v_ME = rows(v + b * v_b + h * v_h, v_m, m, M, E, BLOCK_E).to(DOT)
    q += b * q_b + h * q_h
    g += b * g_b + h * g_h
    bias += b * bias_b + h * bias_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    dk_MD = tl.zeros((BLOCK_M, BLOCK_D), FULL)
    dv_ME = tl.zeros((BLOCK_M, BLOCK_E), FULL)
    for start in range(first_query(block, CAUSAL, BLOCK_N, BLOCK_M), N, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        q_ND = rows(q, q_n, n, N, D, BLOCK_D)
        s_MN = logits(k_MD, q_ND, m, n, mask, mask_m, mask_n, M, N, scale, MASK, FULL, DOT, PRECISION)
        p_MN = _sigmoid(past(s_MN, n[None, :], m[:, None], CAUSAL) + _bias(bias, bias_n, n, N, FULL)[None, :])
        g_NE = rows(g, g_n, n, N, E, BLOCK_E).to(DOT)
        dv_ME = tl.dot(p_MN.to(DOT), g_NE, dv_ME, input_precision=PRECISION, out_dtype=FULL)
        ds_MN = p_MN * (1.0 - p_MN) * tl.dot(v_ME, tl.trans(g_NE), input_precision=PRECISION, out_dtype=FULL)
        dk_MD = tl.dot(ds_MN.to(DOT), q_ND.to(DOT), dk_MD, input_precision=PRECISION, out_dtype=FULL)
    store_rows(dk + (b * H + h) * M * D, m, dk_MD * scale, M, D, BLOCK_D)
    store_rows(dv + (b * H + h) * M * E, m, dv_ME, M, E, BLOCK_E)
