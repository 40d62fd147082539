"""Great sizes of every operation, and the memory that they should take: made here, so that small ones can be tried without a device."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
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
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax
from kernels.sigmoid_attention import sigmoid_attention

__all__ = ["LEAST", "LIE", "MANY", "SQUARE", "last_row", "predicted"]

LEAST = 2**20  # bytes: what the allocator rounds up
Made = tuple[Callable[..., Any], list[Tensor]]


def rand(*shape: int, device: str, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.randn(shape, dtype=dtype, device=device)


def ends(count: int, device: str) -> Tensor:
    """Segments of all kinds, the last of one row."""
    return torch.tensor([0, *(min(end, count - 1) for end in (3, 3, count // 2, count - 1)), count], device=device)


def gated(count: int, width: int, device: str) -> Made:
    network = [torch.linspace(-1, 1, a * b, device=device).sin().reshape(a, b).bfloat16() for a, b in ((width, 16), (width, 16), (16, 1))]
    tensors = [rand(count, width, device=device), ends(count, device), *network]
    return (lambda x, offsets, V, U, w: gated_pool(x, V, U, w, offsets)), tensors


def ragged(operation: Callable[..., Any], columns: int | None = 2) -> Callable[[int, int, str], Made]:
    def made(count: int, width: int, device: str) -> Made:
        scores = rand(count, columns or width, device=device, dtype=torch.float32)
        return operation, [*([rand(count, width, device=device)] if columns else []), scores, ends(count, device)]

    return made


# (rows, width, device) -> (call, its tensors); whole numbers are offsets
MANY: dict[str, Callable[[int, int, str], Made]] = {
    "gate_residual": lambda n, d, device: (gate_residual, [rand(n, d, device=device) for _ in range(3)]),
    "gated_pool": gated,
    "history_attention": lambda n, d, device: (history_attention, [rand(n, 2, d, device=device), rand(n, d, device=device)]),
    "segment_attend": ragged(segment_attend),
    "segment_pool": ragged(segment_pool),
    "segment_softmax": ragged(segment_softmax, None),
}


# How rows lie in memory: one after another, or each column, and each layer, in one piece, so that columns lie far apart.
LIE: dict[str, Callable[[Tensor], Tensor]] = {"rows": lambda x: x, "columns": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0)}


def last_row(operation: str, tensors: list[Tensor], count: int, width: int, device: str) -> list[Tensor]:
    """The arguments of the last row, or segment, alone."""
    _, alone = MANY[operation](1, width, device)
    return [
        one if not x.is_floating_point() else x[-1:].clone() if x.shape[0] == count else x for x, one in zip(tensors, alone, strict=True)
    ]


def heads(operation: Callable[..., Any], count: int) -> Callable[[int, int, int, int, str], Made]:
    def made(b: int, h: int, n: int, d: int, device: str) -> Made:
        return operation, [rand(b, h, n, d, device=device) for _ in range(count)]

    return made


def carried(b: int, h: int, n: int, d: int, device: str) -> Made:
    call, tensors = heads(apply_transposed, 2)(b, h, n, d, device)
    return call, [*tensors, torch.full((b, h, n), 1 / n, device=device)]


# (batch, heads, tokens, width, device) -> (call, its tensors)
SQUARE: dict[str, Callable[[int, int, int, int, str], Made]] = {
    "apply_transposed": carried,
    "diff_attention": heads(lambda q1, k1, q2, k2, v: diff_attention(q1, k1, q2, k2, v, torch.full((), 0.5, device=v.device)), 5),
    "head_mean_map": heads(head_mean_map, 2),
    "paired_attention": heads(partial(paired_attention, need_own=False), 5),
    "reversed_attend": heads(reversed_attend, 3),
    "sigmoid_attention": heads(lambda q, k, v: sigmoid_attention(q, k, v, -9.0), 3),
}

NUMBERS = 8  # a token, in float32: log-sum-exps and sums of rows, forward and backward


def predicted(operation: str, tensors: list[Tensor]) -> int:
    """Bytes of the answer and all gradients, and some numbers a token."""
    b, h, n, _ = tensors[0].shape
    answer = {"apply_transposed": 4 * b * h * n, "head_mean_map": 4 * b * n * n}.get(operation, tensors[-1].nbytes)
    return answer + sum(x.nbytes for x in tensors) + NUMBERS * 4 * b * h * n
