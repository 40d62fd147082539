"""One call of each operation that has kernels, with every kernel behind it: what is compiled for other devices, and measured on one.

`CASES[operation](dtype, width)` are calls with the arguments that their form depends on, as (what, function, tensors).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.apply_transposed import apply_transposed
from kernels.gate_residual import gate_residual
from kernels.head_mean_map import head_mean_map
from kernels.reversed_attend import reversed_attend

__all__ = ["CASES", "Case"]


class Case(NamedTuple):
    what: str
    call: Callable[..., Any]
    tensors: tuple[Tensor, ...]  # floating point ones get gradients


def rand(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype)


def gated(dtype: torch.dtype, width: int) -> list[Case]:
    x, y, b = rand(8, width, dtype=dtype), rand(8, width, dtype=dtype), rand(width, dtype=dtype)
    gates = {"gate of each": (8, width), "gate of rows": (8, 1), "gate of columns": (width,)}
    return [Case(what, gate_residual, (x, y, rand(*shape, dtype=dtype), b[: shape[-1]])) for what, shape in gates.items()]


def masks(dtype: torch.dtype) -> list[tuple[str, int, int, Tensor | None]]:
    """(what, N, M, a mask of that size): sizes that are multiples of 16, which loads may take in one piece, and others."""
    return [
        ("no mask", 16, 32, None),
        ("bool mask, odd sizes", 5, 7, torch.ones(5, 7, dtype=torch.bool)),
        ("float mask", 16, 32, rand(2, 16, 32, dtype=dtype)),
    ]


def reversing(dtype: torch.dtype, width: int) -> list[Case]:
    return [
        Case(
            what, partial(reversed_attend, mask=mask),
            (rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype), rand(1, 2, n, width, dtype=dtype)),
        )
        for what, n, m, mask in masks(dtype)
    ]  # fmt: skip


def carrying(dtype: torch.dtype, width: int) -> list[Case]:
    cases: list[Case] = []
    for what, n, m, mask in masks(dtype):
        q, k, r, lse = (
            rand(1, 2, n, width, dtype=dtype),
            rand(1, 2, m, width, dtype=dtype),
            rand(1, 2, n, dtype=dtype),
            torch.zeros(1, 2, n),
        )
        cases.append(Case(what, partial(apply_transposed, mask=mask), (q, k, r)))
        if mask is None:
            cases.append(Case(f"{what}, gradient of the row alone", partial(apply_transposed, q, k, lse=lse), (r,)))
    return cases


def averaging(dtype: torch.dtype, width: int) -> list[Case]:
    return [
        Case(what, partial(head_mean_map, mask=mask), (rand(1, 2, n, width, dtype=dtype), rand(1, 2, m, width, dtype=dtype)))
        for what, n, m, mask in masks(dtype)
    ]


CASES: dict[str, Callable[[torch.dtype, int], list[Case]]] = {
    "apply_transposed": carrying,
    "gate_residual": gated,
    "head_mean_map": averaging,
    "reversed_attend": reversing,
}
