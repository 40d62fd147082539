"""One call of each operation that has kernels, with every kernel behind it: what is compiled for other devices, and measured on one.

`CASES[operation](dtype, width, times)` are calls with the arguments that their form depends on, as (what, function, tensors), of so many
times the least sizes. Under `torch.device` they lie there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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

__all__ = ["CASES", "Case"]


class Case(NamedTuple):
    what: str
    call: Callable[..., Any]
    tensors: tuple[Tensor, ...]  # floating point ones get gradients


def rand(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype)


def gated_residuals(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    count = 8 * times
    x, y, b = rand(count, width, dtype=dtype), rand(count, width, dtype=dtype), rand(width, dtype=dtype)
    gates = {"gate of each": (count, width), "gate of rows": (count, 1), "gate of columns": (width,)}
    return [Case(what, gate_residual, (x, y, rand(*shape, dtype=dtype), b[: shape[-1]])) for what, shape in gates.items()]


def masks(dtype: torch.dtype, times: int) -> list[tuple[str, int, int, Tensor | None]]:
    """(what, N, M, a mask of that size): sizes that are multiples of 16, which loads may take in one piece, and others."""
    even, odd = (16 * times, 32 * times), (5 * times, 7 * times)
    return [
        ("no mask", *even, None),
        ("bool mask, odd sizes", *odd, torch.ones(odd, dtype=torch.bool)),
        ("float mask", *even, rand(2, *even, dtype=dtype)),
    ]


def reversing(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    return [
        Case(
            what, partial(reversed_attend, mask=mask),
            (rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype), rand(1, 2, n, width, dtype=dtype)),
        )
        for what, n, m, mask in masks(dtype, times)
    ]  # fmt: skip


def carrying(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    cases: list[Case] = []
    for what, n, m, mask in masks(dtype, times):
        q, k, r = rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype), rand(1, 2, n, dtype=dtype)
        cases.append(Case(what, partial(apply_transposed, mask=mask), (q, k, r)))
        if mask is None:
            lse = (q.float() @ k.float().mT * width**-0.5).logsumexp(-1)
            cases.append(Case(f"{what}, gradient of the row alone", partial(apply_transposed, q, k, lse=lse), (r,)))
    return cases


def averaging(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    return [
        Case(what, partial(head_mean_map, mask=mask), (rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype)))
        for what, n, m, mask in masks(dtype, times)
    ]


def uneven(times: int) -> Tensor:
    return times * torch.tensor([0, 3, 3, 40])


def softmax_of_segments(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    return [Case(f"{k} columns", segment_softmax, (rand(40 * times, k, dtype=dtype), uneven(times))) for k in (1, 4, width)]


def pooled(operation: Callable[..., Any]) -> Callable[..., list[Case]]:
    """Segments that are short as a rule, and long ones."""

    def made(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
        few, many = 40 * times, 400 * times
        short = (torch.arange(few + 2) - 1).clamp(min=0)
        return [
            Case("short segments", operation, (rand(few, width, dtype=dtype), rand(few, 2, dtype=dtype), short)),
            Case("long segments", operation, (rand(many, width, dtype=dtype), rand(many, 2, dtype=dtype), torch.tensor([0, many]))),
        ]

    return made


def gated_pools(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    """width: of the hidden units; the tokens are eight times as wide, as a rule."""
    count = 200 * times
    x, V, U = rand(count, 8 * width, dtype=dtype), rand(8 * width, width, dtype=dtype), rand(8 * width, width, dtype=dtype)
    w, bv, bu = rand(width, 2, dtype=dtype), rand(width, dtype=dtype), rand(width, dtype=dtype)
    lengths = torch.tensor([0, count])

    def gated(x: Tensor, V: Tensor, U: Tensor, w: Tensor, bv: Tensor, bu: Tensor) -> Any:
        return gated_pool(x, V, U, w, lengths, bv, bu)

    def plain(x: Tensor, V: Tensor, w: Tensor) -> Any:
        return gated_pool(x, V, None, w, lengths, act="relu")

    return [Case("gated", gated, (x, V, U, w, bv, bu)), Case("plain", plain, (x, V, w))]


def histories(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    count = 40 * times
    states, u, bias = rand(count, 9, width, dtype=dtype), rand(count, width, dtype=dtype), rand(count, 9, dtype=dtype)
    graphs = uneven(times)
    cases: list[Case] = []
    for norm in ("signed", "l1", "softmax"):
        for what, offsets in (("nodes", None), ("graphs", graphs)):

            def call(states: Tensor, u: Tensor, bias: Tensor, offsets: Tensor | None = offsets, norm: str = norm) -> Any:
                return history_attention(states, u, bias, offsets, norm)

            cases.append(Case(f"{what}, {norm}", call, (states, u, bias)))
    return cases


def hidden(dtype: torch.dtype, times: int) -> list[tuple[str, int, int, dict[str, Any]]]:
    """(what, N, M, what hides pairs): sizes that are multiples of 16, which loads may take in one piece, and others."""
    n, m = 5 * times, 7 * times
    return [
        ("no mask", 16 * times, 32 * times, {}),
        ("causal bool mask, odd sizes", m, m, {"mask": torch.ones(m, m, dtype=torch.bool), "causal": True}),
        ("float mask, odd sizes", n, m, {"mask": rand(2, n, m, dtype=dtype)}),
    ]


def squashing(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    return [
        Case(
            what,
            partial(sigmoid_attention, **given),
            (*(rand(1, 2, i, width, dtype=dtype) for i in (n, m, m)), rand(1, 2, n, 1, dtype=dtype)),
        )
        for what, n, m, given in hidden(dtype, times)
    ]


def pairing(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    cases: list[Case] = []
    for what, n, m, given in hidden(dtype, times):
        one, *others = (rand(1, 2, i, width, dtype=dtype) for i in (n, m, m, m, m))
        mask = given.get("mask")
        call = partial(paired_attention, mask1=mask, mask2=mask, need_own=mask is None)
        cases.append(Case(f"{what}{', own mass' if mask is None else ''}", call, (one, *others)))
    return cases


def subtracting(dtype: torch.dtype, width: int, times: int = 1) -> list[Case]:
    """Two heads that share one subtracted map under no mask, one map each otherwise."""
    cases: list[Case] = []
    for what, n, m, given in hidden(dtype, times):
        kept = 2 if given else 1
        first = (rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype))
        second = (rand(1, kept, n, width, dtype=dtype), rand(1, kept, m, width, dtype=dtype))
        tensors = (*first, *second, rand(1, 2, m, width, dtype=dtype), rand(*((2,) if given else ()), dtype=dtype))
        cases.append(Case(what, partial(diff_attention, **given), tensors))
    return cases


CASES: dict[str, Callable[..., list[Case]]] = {
    "apply_transposed": carrying,
    "diff_attention": subtracting,
    "gate_residual": gated_residuals,
    "gated_pool": gated_pools,
    "head_mean_map": averaging,
    "history_attention": histories,
    "paired_attention": pairing,
    "reversed_attend": reversing,
    "segment_attend": pooled(segment_attend),
    "segment_pool": pooled(segment_pool),
    "segment_softmax": softmax_of_segments,
    "sigmoid_attention": squashing,
}
