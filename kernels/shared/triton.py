"""What kernels on queries and keys share: tiles of rows, the logits of two of them with their mask, their softmax, and the log-sum-exp.

Shapes: B batch, H heads, N queries, M keys, D width. Logits are in base 2 inside, lse is natural outside. A kernel that holds keys and
loops over queries calls `logits` with the two exchanged, sizes and strides of the mask as well, and so has the map transposed.
"""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def place(blocks, H):
    """(block, batch, head) of this program: one axis, for the others of a grid end at 65535."""
    pid = tl.program_id(0)
    return pid % blocks, (pid // blocks // H).to(tl.int64), (pid // blocks % H).to(tl.int64)


@triton.jit
def rows(x, x_i, i, N, D, BLOCK_D: tl.constexpr):
    """The rows i of x (N,D), zeros beyond its edges."""
    d = tl.arange(0, BLOCK_D)
    return tl.load(x + i.to(tl.int64)[:, None] * x_i + d[None, :], mask=(i < N)[:, None] & (d < D)[None, :], other=0.0)


@triton.jit
def store_rows(x, i, value, N, D, BLOCK_D: tl.constexpr):
    """Into the rows i of x (N,D), which is contiguous."""
    d = tl.arange(0, BLOCK_D)
    inside = (i < N)[:, None] & (d < D)[None, :]
    tl.store(x + i.to(tl.int64)[:, None] * D + d[None, :], value.to(x.dtype.element_ty), mask=inside)


@triton.jit
def logits(
    a, b, i, j, mask, mask_i, mask_j, count_i, count_j, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """scale log2(e) a_i . b_j + the mask, -inf where hidden or beyond the edges. MASK: none, bool or float."""
    s = tl.dot(a.to(DOT), tl.trans(b.to(DOT)), input_precision=PRECISION, out_dtype=FULL) * (scale * LOG2E)
    seen = (i < count_i)[:, None] & (j < count_j)[None, :]
    if MASK != "none":
        at = mask + i.to(tl.int64)[:, None] * mask_i + j.to(tl.int64)[None, :] * mask_j
        if MASK == "bool":
            seen = tl.load(at, mask=seen, other=0) != 0
        else:
            s += tl.load(at, mask=seen, other=0.0).to(FULL) * LOG2E
    return tl.where(seen, s, float("-inf"))


@triton.jit
def base2(lse, i, N, FULL: tl.constexpr):
    """The log-sum-exp of the rows i in base 2; 0 for a row that sees nothing, whose logits are all -inf."""
    value = tl.load(lse + i, mask=i < N, other=0.0).to(FULL)
    return tl.where(value == float("-inf"), 0.0, value) * LOG2E


@triton.jit
def softmax(s, lse2):
    # Not s > -inf: a logit that is not a number stays one.
    return tl.where(s == float("-inf"), 0.0, tl.exp2(s - lse2))


@triton.jit
def row_lse(
    lse, q, q_b, q_h, q_n, k, k_b, k_h, k_m, mask, mask_b, mask_h, mask_n, mask_m, H, N, M, D, scale,
    MASK: tl.constexpr, FULL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """lse_i = log sum_j exp s_ij, in one pass over the keys with the greatest logit so far."""
    block, b, h = place(tl.cdiv(N, BLOCK_N), H)
    i = block * BLOCK_N + tl.arange(0, BLOCK_N)
    q_ND = rows(q + b * q_b + h * q_h, q_n, i, N, D, BLOCK_D)
    k += b * k_b + h * k_h
    if MASK != "none":
        mask += b * mask_b + h * mask_h
    top = tl.full((BLOCK_N,), float("-inf"), FULL)
    total = tl.zeros((BLOCK_N,), FULL)
    for start in range(0, M, BLOCK_M):
        j = start + tl.arange(0, BLOCK_M)
        s = logits(q_ND, rows(k, k_m, j, M, D, BLOCK_D), i, j, mask, mask_n, mask_m, N, M, scale, MASK, FULL, DOT, PRECISION)
        higher = tl.maximum(top, tl.max(s, 1))
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp2(top - shift) + tl.sum(tl.exp2(s - shift[:, None]), 1)
        top = higher
    seen = total != 0.0
    answer = tl.where(seen, (top + tl.log2(tl.where(seen, total, 1.0))) * LN2, float("-inf"))
    tl.store(lse + (b * H + h) * N + i, answer, mask=i < N)


@triton.jit
def last_key(block, M, CAUSAL: tl.constexpr, BLOCK_N: tl.constexpr):
    """Where the keys end for this block of queries."""
    return tl.minimum(M, (block + 1) * BLOCK_N) if CAUSAL else M


@triton.jit
def first_query(block, CAUSAL: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr):
    """Where the queries begin for this block of keys."""
    return block * BLOCK_M // BLOCK_N * BLOCK_N if CAUSAL else 0


@triton.jit
def past(s, query, key, CAUSAL: tl.constexpr):
    """Logits without the keys that come after the query. Places are (n, 1) and (1, m), or (1, n) and (m, 1)."""
    return tl.where(key <= query, s, float("-inf")) if CAUSAL else s


@triton.jit
def fold(top, total, s_NM):
    """One more tile of base 2 logits: (greatest so far, sum so far, weights of the tile, factor of what was summed before)."""
    higher = tl.maximum(top, tl.max(s_NM, 1))
    shift = tl.where(higher == float("-inf"), 0.0, higher)  # of a row that sees nothing yet, for infinities have no difference
    e_NM = tl.exp2(s_NM - shift[:, None])
    factor = tl.exp2(top - shift)
    return higher, total * factor + tl.sum(e_NM, 1), e_NM, factor


@triton.jit
def log_sum(top, total):
    """The natural log-sum-exp of rows; -inf where they see nothing."""
    seen = total != 0.0
    return tl.where(seen, (top + tl.log2(tl.where(seen, total, 1.0))) * LN2, float("-inf"))
