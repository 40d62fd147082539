"""Property 14: compiled, exported and traced programs answer as eager, at other sizes, too."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core_attention import Segments
from kernels import use_backend
from tests.core_attention.properties.cases import Case, each


class Bound(nn.Module):
    """A mixer as a program of tensors alone."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.mixer = case.build()
        self.grid = case.variant.grid

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.mixer(x, context, grid=self.grid)


def arguments(inputs: dict[str, Any]) -> tuple[Tensor, ...]:
    return tuple(value for value in inputs.values() if isinstance(value, Tensor))


@each(quick={"halo", "softmax"})  # up to a minute each
def test_compiled_whole_equals_eager(case: Case) -> None:
    torch.compiler.reset()  # all cases come through one `forward`, and torch counts its versions
    program = Bound(case)
    compiled = torch.compile(program, fullgraph=True, backend="aot_eager", dynamic=True)
    # The one `Bound` is compiled for every mixer, and torch gives up after a few of the same.
    with torch._dynamo.config.patch(recompile_limit=1000, accumulated_recompile_limit=1000):
        for n in (5, 9):
            inputs = arguments(case.inputs(n=n, m=n + 2))
            torch.testing.assert_close(compiled(*inputs), program(*inputs))


@each()
def test_exported_with_sizes_left_open_equals_eager(case: Case) -> None:
    program, inputs = Bound(case), arguments(case.inputs())
    open_sizes: dict[str, Any] = {"x": {0: torch.export.Dim.DYNAMIC}}
    if not case.spec.needs_grid:
        open_sizes["x"][1] = torch.export.Dim.DYNAMIC
    if case.cross:
        open_sizes["context"] = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with use_backend("reference"):
        exported = torch.export.export(program, inputs, dynamic_shapes=open_sizes).module()
    for batch, n in ((3, 5), (4, 9)):
        others = arguments(case.inputs(batch=batch, n=n, m=n + 3))
        torch.testing.assert_close(exported(*others), program(*others))


@each()
def test_a_trace_at_one_size_is_right_at_three_others(case: Case) -> None:
    program = Bound(case)
    with use_backend("reference"):
        traced = torch.jit.trace(program, arguments(case.inputs()), check_trace=False)
    for batch, n in ((1, 1), (3, 9), (2, 4)):
        inputs = arguments(case.inputs(batch=batch, n=n, m=n + 3))
        torch.testing.assert_close(traced(*inputs), program(*inputs))


@each(lambda case: case.spec.ragged and not case.cross)
@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_a_trace_with_segments_is_right_for_other_segments(case: Case, backend: str) -> None:
    class Ragged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixer = case.build()

        def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
            return self.mixer(x, segments=Segments.from_offsets(offsets))

    program = Ragged()
    first = case.ragged([2, 3])[0]
    with use_backend(backend):
        traced = torch.jit.trace(program, (first["x"], first["segments"].offsets), check_trace=False)
    for lengths in ([1], [4, 0, 9], [1, 1, 1, 6]):
        flat = case.ragged(lengths)[0]
        torch.testing.assert_close(traced(flat["x"], flat["segments"].offsets), program(flat["x"], flat["segments"].offsets))
