"""What is measured of each operation: its inputs at a length, the torch composition that a person would write, and its least work.

Shapes: B batch, H heads, N queries and keys, D width, T tokens, S segments, L layers.
"""

from collections.abc import Callable
from functools import cache
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
from kernels.ragged import segment_of, softmax_parts
from kernels.reversed_attend import reversed_attend
from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax
from kernels.sigmoid_attention import sigmoid_attention

__all__ = ["SUBJECTS", "Subject", "Widths"]


class Widths:
    """Of heads, and of flat rows; a processor that interprets kernels is given smaller ones."""

    heads, head, wide, hidden, rows = 8, 64, 512, 256, 4096

    @classmethod
    def small(cls) -> None:
        cls.heads, cls.head, cls.wide, cls.hidden, cls.rows = 1, 16, 16, 16, 1


Both = tuple[float, float]  # forward, backward


class Subject(NamedTuple):
    call: Callable[..., Any]
    inputs: Callable[[int, torch.dtype, str], tuple[Tensor, ...]]  # (length, dtype, device)
    moved: Callable[[int, int], Both]  # bytes at the least: (length, bytes of a number)
    flops: Callable[[int], Both]  # at the least
    size: Callable[[int], int]  # as the form's `pays` counts it
    lengths: tuple[int, ...]
    sdpa: Callable[..., Any] | None = None  # the best composition of torch's fused attention
    flex: Callable[..., Any] | None = None  # the same of FlexAttention
    plain: Callable[..., Any] | None = None  # the composition with products in the dtype of the inputs; the reference's are in float32

    @property
    def square(self) -> bool:
        return self.lengths == SQUARE

    def map_bytes(self, length: int) -> float:
        """Of the handful of maps in float32 that the reference keeps."""
        return 6 * 4 * pairs(length)


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


@cache
def flexible() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)


def two_softmaxes(attend: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(q1: Tensor, k1: Tensor, q2: Tensor, k2: Tensor, v: Tensor, lam: Tensor) -> Tensor:
        return attend(q1, k1, v) - lam.to(v) * attend(q2, k2, v)

    return call


def joined(attend: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(q: Tensor, k1: Tensor, v1: Tensor, k2: Tensor, v2: Tensor) -> Tensor:
        return attend(q, torch.cat([k1, k2], 2), torch.cat([v1, v2], 2))

    return call


def one_query(states: Tensor, u: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(u[:, None, None], states[:, None], states[:, None], scale=1.0)[:, 0, 0]


def flex(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return flexible()(q, k, v)


def product(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.mT * q.shape[-1] ** -0.5


def shares(q: Tensor, k: Tensor) -> Tensor:
    return torch.softmax(product(q, k).float(), -1)


def carried(q: Tensor, k: Tensor, r: Tensor) -> Tensor:
    return (r.to(q.dtype).unsqueeze(-2) @ shares(q, k).to(q.dtype)).squeeze(-2)


def pooled(x: Tensor, weights_TK: Tensor, segment_T: Tensor, count: int) -> Tensor:
    """Sums over few segments as one product: each segment's weights in a row of their own, zeros elsewhere."""
    own_ST = torch.arange(count, device=x.device).unsqueeze(-1) == segment_T
    rows = torch.where(own_ST.unsqueeze(1), weights_TK.mT, 0.0)
    return (rows.flatten(0, 1).to(x.dtype) @ x).unflatten(0, rows.shape[:2])


def attended(x: Tensor, scores: Tensor, offsets: Tensor) -> Tensor:
    segment_T = segment_of(x[:, 0], offsets)
    return pooled(x, softmax_parts(scores.float(), segment_T, offsets)[0], segment_T, len(offsets) - 1)


def stacked(x: Tensor, V: Tensor, U: Tensor, w: Tensor, offsets: Tensor) -> Tensor:
    a, gate = (x @ torch.cat([V, U], 1)).chunk(2, 1)
    return attended(x, (a.tanh() * gate.sigmoid()) @ w, offsets)


def pairs(n: int) -> int:
    """Of queries and keys, in all heads of all pictures."""
    return batch(n) * n * n


def products(forward: int, backward: int) -> Callable[[int], Both]:
    """Matrix products of the width of a head over all pairs."""
    return lambda n: (2 * forward * pairs(n) * Widths.head, 2 * backward * pairs(n) * Widths.head)


def tensors(forward: int, backward: int, numbers: int = 0) -> Callable[[int, int], Both]:
    """So many of (B,H,N,D) read and written, and numbers in float32 a token."""
    return lambda n, b: tuple(batch(n) * n * (count * Widths.head * b + 4 * numbers) for count in (forward, backward))  # pyright: ignore[reportReturnType]


def flat(forward: float, backward: float, width: Callable[[], int]) -> Callable[[int], Both]:
    """Operations a token and column."""
    return lambda t: (forward * t * width(), backward * t * width())


def with_map(n: int, b: int) -> Both:
    forward, backward = tensors(2, 4)(n, b)
    return forward + 4 * many(n) * n * n, backward + 4 * many(n) * n * n


SQUARE, FLAT = (64, 128, 256, 512, 1024, 2048, 4096), (10**3, 10**4, 10**5, 10**6)
SDPA = F.scaled_dot_product_attention

SUBJECTS = {
    "gate_residual": Subject(
        gate_residual,
        gates,
        lambda n, b: (4 * n * Widths.wide * b, 5 * n * Widths.wide * b),
        flat(5, 8, lambda: Widths.wide),
        lambda n: n * Widths.wide,
        FLAT,
    ),
    "segment_softmax": Subject(
        segment_softmax,
        lambda t, dtype, device: ragged(8)(t, dtype, device)[1:],
        lambda t, b: (64 * t, 96 * t),
        flat(5, 4, lambda: 8),
        lambda t: 8 * t,
        FLAT,
    ),
    "segment_attend": Subject(
        segment_attend,
        ragged(2),
        lambda t, b: (t * (Widths.wide * b + 8), t * (2 * Widths.wide * b + 16)),
        flat(4, 8, lambda: Widths.wide),
        lambda t: t * Widths.wide,
        FLAT,
        plain=attended,
    ),
    "segment_pool": Subject(
        segment_pool,
        ragged(2),
        lambda t, b: (t * (Widths.wide * b + 8), t * (2 * Widths.wide * b + 16)),
        flat(4, 8, lambda: Widths.wide),
        lambda t: t * Widths.wide,
        FLAT,
        plain=lambda x, weights, offsets: pooled(x, weights, segment_of(x[:, 0], offsets), len(offsets) - 1),
    ),
    "gated_pool": Subject(
        gated_pool,
        network,
        lambda t, b: (t * Widths.wide * b, t * Widths.wide * b),
        flat(4, 8, lambda: Widths.wide * Widths.hidden),
        lambda t: t,
        FLAT,
        plain=stacked,
    ),
    "history_attention": Subject(
        lambda states, u: history_attention(states, u)[0],
        history,
        lambda n, b: (18 * n * Widths.head * b, 35 * n * Widths.head * b),
        flat(64, 128, lambda: Widths.head),
        lambda n: 16 * n * Widths.head,
        FLAT,
        one_query,
    ),
    "apply_transposed": Subject(apply_transposed, with_row, tensors(2, 4, 2), products(2, 3), pairs, SQUARE, plain=carried),
    "reversed_attend": Subject(
        reversed_attend, heads(3), tensors(4, 7), products(3, 5), pairs, SQUARE, plain=lambda q, k, v: shares(q, k).to(v).mT @ v
    ),
    "head_mean_map": Subject(head_mean_map, heads(2), with_map, products(2, 3), pairs, SQUARE, plain=lambda q, k: shares(q, k).mean(1)),
    "paired_attention": Subject(
        lambda *five: paired_attention(*five, need_own=False)[0],
        heads(5),
        tensors(6, 12),
        products(4, 10),
        lambda n: 2 * pairs(n),
        SQUARE,
        joined(SDPA),
        joined(flex),
    ),
    "diff_attention": Subject(
        diff_attention, with_share, tensors(8, 16), products(6, 10), pairs, SQUARE, two_softmaxes(SDPA), two_softmaxes(flex)
    ),
    "sigmoid_attention": Subject(
        lambda q, k, v: sigmoid_attention(q, k, v, -6.0),
        heads(3),
        tensors(4, 7),
        products(2, 5),
        pairs,
        SQUARE,
        plain=lambda q, k, v: torch.sigmoid(product(q, k) - 6.0) @ v,
    ),
}
