"""Each custom operation as torch sees it: schema, fake, gradients, compiled whole."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import use_backend
from kernels.cases import CASES, Case
from tests.kernels.fused.checks import needs_interpreter, tensors

pytestmark = needs_interpreter


class Recorder(TorchDispatchMode):
    """The calls of this package's operations."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func.namespace == "discern":
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


def leaves(case: Case) -> list[Tensor]:
    return [x.detach().requires_grad_() if x.is_floating_point() else x for x in case.tensors]


def answers(case: Case, inputs: list[Tensor]) -> list[Tensor]:
    with use_backend("triton"):
        found = tensors(case.call(*inputs))
    flowing = [part for part in found if part.requires_grad]
    gradients = torch.autograd.grad(flowing, [x for x in inputs if x.requires_grad], [torch.ones_like(part) for part in flowing])
    return [*found, *gradients]


@pytest.mark.parametrize("operation", sorted(CASES))
def test_schema_and_fakes_say_what_is_done(operation: str) -> None:
    torch.use_deterministic_algorithms(False)  # opcheck runs twice and compares: unwritten memory has its own tests
    for case in CASES[operation](torch.float32, 32):
        recorder = Recorder()
        with recorder:
            answers(case, leaves(case))
        assert recorder.calls, case.what
        for function, arguments in recorder.calls:
            detached = [x.detach() if isinstance(x, Tensor) else x for x in arguments]
            torch.library.opcheck(function, tuple(detached), test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("operation", sorted(CASES))
def test_compiled_whole_it_answers_as_eager(operation: str) -> None:
    for case in CASES[operation](torch.float32, 32)[:1]:
        torch.compiler.reset()
        compiled = Case(case.what, torch.compile(case.call, fullgraph=True, backend="aot_eager"), case.tensors)
        for got, wanted in zip(answers(compiled, leaves(case)), answers(case, leaves(case)), strict=True):
            torch.testing.assert_close(got, wanted)
