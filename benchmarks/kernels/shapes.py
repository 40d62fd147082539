"""What is measured of each operation: its inputs at a length, the torch composition that a person would write, and its least work.

Shapes: B batch, H heads, N queries and keys, D width, T tokens, S segments, L layers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.apply_transposed import apply_transposed
from kernels.diff_attention import diff_attention
from kernels.gate_residual import gate_residual
from kernels.gated_pool import gated_pool
from kernels.head_mean_map import head_mean_map
from kernels.history_attention import history_attention
from kernels.paired_attention import paired_attention
from kernels.reversed_attend import reversed_attend
from kernels.segment_attend import segment_attend
from kernels.segment_softmax import segment_softmax
from kernels.sigmoid_attention import sigmoid_attention

__all__ = ["SUBJECTS", "Subject", "Widths"]


class Widths:
    """Of heads, and of flat rows; a processor that interprets kernels is given smaller ones."""

    heads, head, wide, hidden, rows = 8, 64, 512, 256, 4096

    @classmethod
    def small(cls) -> None:
        cls.heads, cls.head, cls.wide, cls.hidden, cls.rows = 1, 16, 16, 16, 1


class Subject(NamedTuple):
    call: Callable[..., Any]
    inputs: Callable[[int, torch.dtype, str], tuple[Tensor, ...]]  # (length, dtype, device)
    bytes: Callable[[int, int], float]  # (length, bytes of a number), forward
    flops: Callable[[int], float]  # forward
    size: Callable[[int], int]  # as the form's `pays` counts it
    lengths: tuple[int, ...]
    composed: Callable[..., Any] | None = None  # of fused attention of torch's own


def rand(*shape: int, dtype: torch.dtype, device: str) -> Tensor:
    return torch.randn(shape, dtype=torch.float32, device=device).to(dtype).requires_grad_()


def many(n: int) -> int:
    """Pictures: fewer the longer they are."""
    return max(1, Widths.rows // n)


def heads(count: int) -> Callable[[int, torch.dtype, str], tuple[Tensor, ...]]:
    """So many tensors (B,H,N,D)."""

    def made(n: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
        return tuple(rand(many(n), Widths.heads, n, Widths.head, dtype=dtype, device=device) for _ in range(count))

    return made


def batch(n: int) -> int:
    return many(n) * Widths.heads


def segments(t: int, device: str) -> Tensor:
    """Eight segments, the longest half of all."""
    return torch.tensor([0, *(t - t // 2**i for i in range(1, 8)), t], device=device)


def ragged(columns: int) -> Callable[[int, torch.dtype, str], tuple[Tensor, ...]]:
    def made(t: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
        return rand(t, Widths.wide, dtype=dtype, device=device), rand(t, columns, dtype=torch.float32, device=device), segments(t, device)

    return made


def with_row(n: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
    q, k = heads(2)(n, dtype, device)
    return q, k, torch.full(q.shape[:3], 1 / n, device=device, requires_grad=True)


def with_share(n: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
    *four, _ = heads(5)(n, dtype, device)
    return (
        *four,
        rand(many(n), Widths.heads, n, 2 * Widths.head, dtype=dtype, device=device),
        torch.tensor(0.5, device=device, requires_grad=True),
    )


def network(t: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
    x = rand(t, Widths.wide, dtype=dtype, device=device).detach()
    V, U = (rand(Widths.wide, Widths.hidden, dtype=dtype, device=device) for _ in range(2))
    return x, V, U, rand(Widths.hidden, 1, dtype=dtype, device=device), segments(t, device)


def history(n: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
    return rand(n, 16, Widths.head, dtype=dtype, device=device), rand(n, Widths.head, dtype=dtype, device=device)


def gates(n: int, dtype: torch.dtype, device: str) -> tuple[Tensor, ...]:
    x, y, gate = (rand(n, Widths.wide, dtype=dtype, device=device) for _ in range(3))
    return x, y, gate, rand(Widths.wide, dtype=dtype, device=device)


def two_softmaxes(q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q1, k1, v) - lam * F.scaled_dot_product_attention(q2, k2, v)


def joined(q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, torch.cat([k1, k2], 2), torch.cat([v1, v2], 2))


def pairs(n: int) -> int:
    """Of queries and keys, in all heads of all pictures."""
    return batch(n) * n * n


SQUARE, FLAT = (64, 128, 256, 512, 1024, 2048, 4096), (10**3, 10**4, 10**5, 10**6)

SUBJECTS = {
    "gate_residual": Subject(
        gate_residual, gates, lambda n, b: 4 * n * Widths.wide * b, lambda n: 5 * n * Widths.wide, lambda n: n * Widths.wide, FLAT
    ),
    "segment_softmax": Subject(
        segment_softmax,
        lambda t, dtype, device: ragged(8)(t, dtype, device)[1:],
        lambda t, b: 64 * t,
        lambda t: 40 * t,
        lambda t: 8 * t,
        FLAT,
    ),
    "segment_attend": Subject(
        segment_attend, ragged(2), lambda t, b: t * (Widths.wide * b + 8), lambda t: 4 * t * Widths.wide, lambda t: t * Widths.wide, FLAT
    ),
    "gated_pool": Subject(
        gated_pool, network, lambda t, b: t * Widths.wide * b, lambda t: 4 * t * Widths.wide * (Widths.hidden + 1), lambda t: t, FLAT
    ),
    "apply_transposed": Subject(
        apply_transposed,
        with_row,
        lambda n, b: batch(n) * n * (2 * Widths.head * b + 8),
        lambda n: 4 * pairs(n) * Widths.head,
        pairs,
        SQUARE,
    ),
    "reversed_attend": Subject(
        reversed_attend, heads(3), lambda n, b: 4 * batch(n) * n * Widths.head * b, lambda n: 6 * pairs(n) * Widths.head, pairs, SQUARE
    ),
    "history_attention": Subject(
        history_attention,
        history,
        lambda n, b: 18 * n * Widths.head * b,
        lambda n: 64 * n * Widths.head,
        lambda n: 16 * n * Widths.head,
        FLAT,
    ),
    "paired_attention": Subject(
        lambda *five: paired_attention(*five, need_own=False)[0],
        heads(5),
        lambda n, b: 6 * batch(n) * n * Widths.head * b,
        lambda n: 8 * pairs(n) * Widths.head,
        lambda n: 2 * n * n,
        SQUARE,
        joined,
    ),
    "diff_attention": Subject(
        diff_attention,
        with_share,
        lambda n, b: 8 * batch(n) * n * Widths.head * b,
        lambda n: 12 * pairs(n) * Widths.head,
        lambda n: n * n,
        SQUARE,
        two_softmaxes,
    ),
    "sigmoid_attention": Subject(
        lambda q, k, v: sigmoid_attention(q, k, v, -6.0),
        heads(3),
        lambda n, b: 4 * batch(n) * n * Widths.head * b,
        lambda n: 4 * pairs(n) * Widths.head,
        lambda n: n * n,
        SQUARE,
    ),
    "head_mean_map": Subject(
        head_mean_map,
        heads(2),
        lambda n, b: batch(n) * n * (2 * Widths.head * b + n * 4 / Widths.heads),
        lambda n: 4 * pairs(n) * Widths.head,
        pairs,
        SQUARE,
    ),
}
