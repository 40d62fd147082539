"""One call of each operation that has kernels, with every kernel behind it: what is compiled for other devices, and measured on one.

`CASES[operation](dtype, width)` are calls with the arguments that their form depends on, as (what, function, tensors).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.gate_residual import gate_residual

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


CASES: dict[str, Callable[[torch.dtype, int], list[Case]]] = {
    "gate_residual": gated,
}
