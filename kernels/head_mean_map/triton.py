"""The kernels of head_mean_map. Shapes: B batch, H heads, N queries, M keys, D width."""

import triton
import triton.language as tl

from kernels.shared.triton import base2, logits, place, rows, softmax, store_rows


@triton.jit
def forward(
    out, q, q_b, q_h, q_n, k, k_b, k_h, k_m, lse, mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """mean_h exp(s_ij - lse_i): a program holds a tile of the map and loops over the heads."""
    across = tl.cdiv(M, BLOCK_M)
    block, b, _ = place(tl.cdiv(N, BLOCK_N) * across, 1)
    i = block // across * BLOCK_N + tl.arange(0, BLOCK_N)
    j = block % across * BLOCK_M + tl.arange(0, BLOCK_M)
    q += b * q_b
    k += b * k_b
    lse += b * H * N
    if MASK != "none":
        mask += b * mask_b
    sum_NM = tl.zeros((BLOCK_N, BLOCK_M), FULL)
    for _ in range(H):
        q_ND, k_MD = rows(q, q_n, i, N, D, BLOCK_D), rows(k, k_m, j, M, D, BLOCK_D)
        s_NM = logits(q_ND, k_MD, i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        sum_NM += softmax(s_NM, base2(lse, i, N, FULL)[:, None])
        q += q_h
        k += k_h
        lse += N
        if MASK != "none":
            mask += mask_h
    at = out + b * N * M + i.to(tl.int64)[:, None] * M + j[None, :]
    tl.store(at, sum_NM / H, mask=(i < N)[:, None] & (j < M)[None, :])


@triton.jit
def _slopes(g, g_i, g_j, i, j, count_i, count_j, H, FULL: tl.constexpr):
    """What flows into the map of each head: the gradient of their mean over H."""
    at = g + i.to(tl.int64)[:, None] * g_i + j.to(tl.int64)[None, :] * g_j
    return tl.load(at, mask=(i < count_i)[:, None] & (j < count_j)[None, :], other=0.0).to(FULL) / H


@triton.jit
def backward_queries(
    dq, balance, g, g_b, g_n, g_m, q, q_b, q_h, q_n, k, k_b, k_h, k_m, lse, mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dS = P (G - balance), balance_i = sum_j P_ij G_ij, dq = scale dS k: two loops over the keys."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    i = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, i, N, D, BLOCK_D)
    lse_N = base2(lse + (b * H + h) * N, i, N, FULL)
    k += b * k_b + h * k_h
    g += b * g_b
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    balance_N = tl.zeros((BLOCK_N,), FULL)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s_NM = logits(q_ND, rows(k, k_m, j, M, D, BLOCK_D), i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        balance_N += tl.sum(softmax(s_NM, lse_N[:, None]) * _slopes(g, g_n, g_m, i, j, N, M, H, FULL), 1)
    tl.store(balance + (b * H + h) * N + i, balance_N, mask=i < N)
    dq_ND = tl.zeros((BLOCK_N, BLOCK_D), FULL)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        k_MD = rows(k, k_m, j, M, D, BLOCK_D)
        s_NM = logits(q_ND, k_MD, i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        ds_NM = softmax(s_NM, lse_N[:, None]) * (_slopes(g, g_n, g_m, i, j, N, M, H, FULL) - balance_N[:, None])
        dq_ND += tl.dot(ds_NM.to(DOT), k_MD.to(DOT), input_precision=PRECISION, out_dtype=FULL)
    store_rows(dq + (b * H + h) * N * D, i, dq_ND * scale, N, D, BLOCK_D)


@triton.jit
def backward_keys(
    dk, balance, g, g_b, g_n, g_m, q, q_b, q_h, q_n, k, k_b, k_h, k_m, lse, mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """dk = scale dS^T q; the map and all that is of its shape are transposed."""
    block, b, h = place(tl.cdiv(M, BLOCK_M), H)
    j = block * BLOCK_M + tl.arange(0, BLOCK_M)
    k_MD = rows(k + b * k_b + h * k_h, k_m, j, M, D, BLOCK_D)
    q += b * q_b + h * q_h
    g += b * g_b
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
        balance_N = tl.load(balance + i, mask=i < N, other=0.0)
        ds_MN = p_MN * (_slopes(g, g_m, g_n, j, i, M, N, H, FULL) - balance_N[None, :])
        dk_MD += tl.dot(ds_MN.to(DOT), q_ND.to(DOT), input_precision=PRECISION, out_dtype=FULL)
    store_rows(dk + (b * H + h) * M * D, j, dk_MD * scale, M, D, BLOCK_D)
