"""What the tests of ragged operations share: segments to try, and one operation as a traced, compiled and exported program."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kernels import use_backend

__all__ = ["LENGTHS", "compiles_and_exports", "offsets_of", "randn", "traces"]

LENGTHS = [
    [3, 0, 1, 4],
    [5],
    [1, 1],
    [0, 0],
    [0, 2, 0],
]  # of segments: empty ones first, last and in between, single tokens, no token at all
OTHERS = ([1], [2, 0, 7], [1, 1, 1, 6])  # than the one that was traced


def offsets_of(lengths: list[int], dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(dtype)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Program(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def traces(function: Callable[..., Any], inputs: Callable[[list[int]], tuple[Tensor, ...]]) -> None:
    """A trace at one size is right at three others, and names no device. `inputs` makes the arguments for given lengths."""
    with use_backend("reference"):
        traced = torch.jit.trace(Program(function), inputs([2, 3]), check_trace=False)
    assert "Device" not in str(traced.inlined_graph)
    for lengths in OTHERS:
        torch.testing.assert_close(traced(*inputs(lengths)), function(*inputs(lengths)), rtol=1e-12, atol=1e-12)
    traced_again = torch.jit.trace(Program(function), inputs([2, 3]), check_trace=False)  # whatever the backend: no form may bake sizes in
    torch.testing.assert_close(traced_again(*inputs([4, 1, 1])), function(*inputs([4, 1, 1])), rtol=1e-9, atol=1e-12)


def compiles_and_exports(
    function: Callable[..., Any], inputs: Callable[[list[int]], tuple[Tensor, ...]], fixed: tuple[int, ...] = ()
) -> None:
    """Whole and with sizes left open. `fixed`: the places of arguments that have no open size."""
    torch.compiler.reset()  # all programs share the code of Program, which torch compiles eight times at most
    compiled = torch.compile(Program(function), fullgraph=True, backend="aot_eager", dynamic=True)
    first = inputs([2, 3])
    shapes = tuple(None if i in fixed else {0: torch.export.Dim.DYNAMIC} for i in range(len(first)))
    with use_backend("reference"):
        exported = torch.export.export(Program(function), first, dynamic_shapes=(shapes,)).module()
    for lengths in ([2, 3], [4, 0, 3, 1]):
        wanted = function(*inputs(lengths))
        torch.testing.assert_close(compiled(*inputs(lengths)), wanted)
        torch.testing.assert_close(exported(*inputs(lengths)), wanted)
