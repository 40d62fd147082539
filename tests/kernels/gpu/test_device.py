"""What only a device can show. Right answers are tests/kernels/fused, which run the same matrix there."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import use_backend
from kernels.cases import CASES, Case
from kernels.errors import judged, parts, strictly, under
from kernels.gated_pool import gated_pool
from tests.kernels.gpu.sizes import LEAST, LIE, MANY, SQUARE, last_row, predicted

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

OPERATIONS = sorted(CASES)


def on_device(operation: str, dtype: torch.dtype = torch.float32, width: int = 64) -> list[tuple[Case, list[Tensor]]]:
    """Cases with their masks and offsets there, and tensors that want gradients."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        cases = CASES[operation](dtype, width)
    return [(case, [x.detach().requires_grad_(x.is_floating_point()) for x in case.tensors]) for case in cases]


def run(call: Callable[..., Any], leaves: list[Tensor]) -> list[Tensor]:
    """Answers and gradients by the kernels. What is kept has no graph: its nodes would tie later runs to this run's stream."""
    with strictly("triton"):
        answers = parts(call(*leaves))
    flowing = [part for part in answers if part.requires_grad]
    gradients = torch.autograd.grad(flowing, [x for x in leaves if x.requires_grad], [torch.ones_like(part) for part in flowing])
    return [*(answer.detach() for answer in answers), *gradients]


def assert_equal(found: list[Tensor], wanted: list[Tensor], what: str) -> None:
    for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
        assert torch.equal(one, other), f"{what}: tensor {i}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("width", [32, 64, 128, 256])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_case_that_was_compiled_elsewhere_is_right_here(operation: str, width: int, dtype: torch.dtype) -> None:
    for case, leaves in on_device(operation, dtype, width):
        for what, error, limit in judged(under("triton", case.call), under("reference", case.call), leaves, dtype):
            assert error <= limit, f"{case.what}, {what}: {error:.1e} above {limit:.0e}"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_twenty_runs_give_the_same_bits(operation: str) -> None:
    for case, leaves in on_device(operation, torch.bfloat16):
        first = run(case.call, leaves)
        for _ in range(19):
            assert_equal(run(case.call, leaves), first, case.what)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_captured_graph_answers_as_eager(operation: str) -> None:
    for case, leaves in on_device(operation):
        wanted = run(case.call, leaves)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                run(case.call, leaves)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = run(case.call, leaves)
        with torch.no_grad():  # the graph has to compute, not only to repeat what was there
            for x in leaves:
                if x.is_floating_point():
                    x.mul_(0.5)
        graph.replay()
        halved = [each.clone() for each in captured]
        assert_equal(run(case.call, leaves), halved, case.what)
        assert not all(torch.equal(one, other) for one, other in zip(halved, wanted, strict=True))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_streams_do_not_disturb_each_other(operation: str) -> None:
    for case, leaves in on_device(operation):
        wanted = run(case.call, leaves)
        torch.cuda.synchronize()
        streams = [torch.cuda.Stream() for _ in range(2)]
        found: list[list[Tensor]] = []
        for _ in range(5):
            for stream in streams:
                with torch.cuda.stream(stream):
                    found.append(run(case.call, leaves))
        torch.cuda.synchronize()
        for answers in found:
            assert_equal(answers, wanted, case.what)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_compiled_by_inductor_it_answers_as_eager(operation: str) -> None:
    case, leaves = on_device(operation)[0]
    torch.compiler.reset()
    for one, other in zip(run(torch.compile(case.call, fullgraph=True), leaves), run(case.call, leaves), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("operation", sorted(MANY))
def test_a_million_rows(operation: str) -> None:
    call, leaves = MANY[operation](10**6, 64, "cuda")
    leaves = [x.requires_grad_(x.is_floating_point()) for x in leaves]
    dtype = leaves[0].dtype
    for what, error, limit in judged(under("triton", call), under("reference", call), leaves, dtype):
        assert error <= limit, f"{what}: {error:.1e} above {limit:.0e}"


@pytest.mark.parametrize("lie", LIE)
@pytest.mark.parametrize("operation", sorted(MANY))
def test_more_numbers_than_an_int32_counts_in_rows(operation: str, lie: str) -> None:
    """The last segment, of one row, is what it is alone."""
    torch.cuda.empty_cache()
    call, leaves = MANY[operation](2**25, 65, "cuda")  # 2.2e9 numbers
    assert leaves[0].numel() > 2**31
    for i in range(len(leaves)):  # one by one: two copies of all of them are too many
        leaves[i] = LIE[lie](leaves[i]) if leaves[i].shape[0] == 2**25 else leaves[i]
    with strictly("triton"), torch.no_grad():
        found = parts(call(*leaves))[0][-1].clone()
        wanted = parts(call(*last_row(operation, leaves, 2**25, 65, "cuda")))[0][-1]
    torch.testing.assert_close(found, wanted)  # sums over columns that lie otherwise have another order


@pytest.mark.parametrize("operation", sorted(SQUARE))
def test_more_numbers_than_an_int32_counts_in_heads(operation: str) -> None:
    """The last picture is what it is alone."""
    torch.cuda.empty_cache()
    call, leaves = SQUARE[operation](2**18 + 1, 8, 16, 64, "cuda")
    assert leaves[0].numel() > 2**31
    with strictly("triton"), torch.no_grad():
        found = parts(call(*leaves))[0][-1].clone()
        wanted = parts(call(*(x[-1:].clone() if x.ndim > 1 else x for x in leaves)))[0][-1]
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("operation", sorted(SQUARE))
def test_memory_is_as_predicted(operation: str) -> None:
    """Answers, gradients and a few numbers a token: a map of one head would take 256 MiB in float32."""
    call, leaves = SQUARE[operation](1, 4, 8192, 64, "cuda")
    leaves = [x.requires_grad_() for x in leaves]
    with strictly("triton"):
        answer = parts(call(*leaves))[0]
        gradient = torch.ones_like(answer)
        torch.autograd.grad(answer, leaves, gradient)  # compiles
        del answer
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        torch.autograd.grad(parts(call(*leaves))[0], leaves, gradient)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    assert peak <= 1.1 * predicted(operation, leaves) + LEAST, f"{peak} bytes, {predicted(operation, leaves)} predicted"


def test_hidden_units_of_a_gated_pool_are_never_in_memory() -> None:
    tokens, width, hidden = 100_000, 512, 256

    def rows(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.bfloat16, device="cuda")

    x, V, U, w = rows(tokens, width), rows(width, hidden).requires_grad_(), rows(width, hidden).requires_grad_(), rows(hidden, 1)
    offsets, kept = torch.tensor([0, tokens], device="cuda"), {}
    for backend in ("triton", "reference"):
        with use_backend(backend):
            before = torch.cuda.memory_allocated()
            answers = gated_pool(x, V, U, w.requires_grad_(), offsets)
            kept[backend] = torch.cuda.memory_allocated() - before
            del answers
    assert 3 * kept["triton"] < kept["reference"]
