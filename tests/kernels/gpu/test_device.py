"""What only a device can show. Right answers are tests/kernels/fused, which run the same matrix there."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import use_backend
from kernels.apply_transposed import apply_transposed
from kernels.cases import CASES, Case
from kernels.gated_pool import gated_pool
from kernels.segment_attend import segment_attend
from kernels.segment_softmax import segment_softmax
from kernels.sigmoid_attention import sigmoid_attention

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

OPERATIONS = sorted(CASES)


def there(x: Tensor) -> Tensor:
    moved = x.detach().cuda()
    return moved.requires_grad_() if moved.is_floating_point() else moved


def run(case: Case, leaves: list[Tensor]) -> list[Tensor]:
    """Answers and gradients."""
    answer = case.call(*leaves)
    answers = [answer] if isinstance(answer, Tensor) else [part for part in answer if part is not None]
    flowing = [part for part in answers if part.requires_grad]
    return [*answers, *torch.autograd.grad(flowing, [x for x in leaves if x.requires_grad], [torch.ones_like(part) for part in flowing])]


def on_device(operation: str, dtype: torch.dtype = torch.float32, width: int = 64) -> list[Case]:
    """Only those whose tensors are all arguments: a mask or offsets inside a call stay on the processor."""
    cases = CASES[operation](dtype, width)
    return [case for case in cases if case.what.startswith(("no mask", "gate of", "1 columns", "short", "long", "nodes"))] or cases[:0]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_twenty_runs_give_the_same_bits(operation: str) -> None:
    for case in on_device(operation, torch.bfloat16):
        leaves = [there(x) for x in case.tensors]
        with use_backend("triton"):
            first = run(case, leaves)
            for _ in range(19):
                for one, again in zip(first, run(case, leaves), strict=True):
                    assert torch.equal(one, again), case.what


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_captured_graph_answers_as_eager(operation: str) -> None:
    for case in on_device(operation):
        leaves = [there(x) for x in case.tensors]
        with use_backend("triton"):
            wanted = run(case, leaves)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                run(case, leaves)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                captured = run(case, leaves)
            graph.replay()
        for one, other in zip(captured, wanted, strict=True):
            assert torch.equal(one, other), case.what


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_streams_do_not_disturb_each_other(operation: str) -> None:
    for case in on_device(operation):
        leaves = [there(x) for x in case.tensors]
        with use_backend("triton"):
            wanted = run(case, leaves)
            torch.cuda.synchronize()
            streams, found = [torch.cuda.Stream() for _ in range(2)], []
            for stream in streams:
                with torch.cuda.stream(stream):
                    found.append([run(case, leaves) for _ in range(5)])
            torch.cuda.synchronize()
        for answers in (each for of_stream in found for each in of_stream):
            for one, other in zip(answers, wanted, strict=True):
                assert torch.equal(one, other), case.what


@pytest.mark.parametrize("operation", OPERATIONS)
def test_compiled_by_inductor_it_answers_as_eager(operation: str) -> None:
    for case in on_device(operation)[:1]:
        torch.compiler.reset()
        leaves = [there(x) for x in case.tensors]
        compiled = Case(case.what, torch.compile(case.call, fullgraph=True), case.tensors)
        with use_backend("triton"):
            for one, other in zip(run(compiled, leaves), run(case, leaves), strict=True):
                torch.testing.assert_close(one, other)


def rows(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.randn(shape, dtype=dtype, device="cuda")


def peak(call: Callable[[], Any]) -> int:
    """Bytes above what was there before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def test_a_million_rows() -> None:
    count = 10**6
    x, scores = rows(count, 64), rows(count, 2, dtype=torch.float32)
    offsets = torch.tensor([0, 3, 3, count // 2, count], device="cuda")
    for backend in ("triton", "reference"):
        with use_backend(backend):
            found = segment_attend(x, scores, offsets)
        if backend == "triton":
            ours = found
    torch.testing.assert_close(ours[0].float(), found[0].float(), rtol=2e-2, atol=1e-4)
    torch.testing.assert_close(ours[1], found[1], rtol=1e-5, atol=1e-4)


def test_more_numbers_than_an_int32_counts() -> None:
    count, width = 2**25, 65  # 2.2e9 numbers
    x, scores = rows(count, width), torch.zeros(count, 1, device="cuda")
    x[-1] = 1000.0
    offsets = torch.tensor([0, count - 1, count], device="cuda")
    with use_backend("triton"):
        z, _ = segment_attend(x, scores, offsets)
        weights = segment_softmax(scores, offsets)
    assert (z[1] == 1000.0).all()
    assert weights[-1] == 1.0


def test_maps_are_never_in_memory() -> None:
    """O(N): at N = 8192 a map of one head would be 256 MiB in float32."""
    q, k, v = (rows(1, 4, 8192, 64).requires_grad_() for _ in range(3))
    r = torch.full((1, 4, 8192), 1 / 8192, device="cuda", requires_grad=True)
    with use_backend("triton"):
        carried = peak(lambda: torch.autograd.grad(apply_transposed(q, k, r).square().sum(), (q, k, r)))
        squashed = peak(lambda: torch.autograd.grad(sigmoid_attention(q, k, v, -9.0).float().square().sum(), (q, k, v)))
    tensor = q.numel() * 4
    assert carried < 8 * tensor
    assert squashed < 8 * tensor


def test_hidden_units_of_a_gated_pool_are_never_in_memory() -> None:
    tokens, width, hidden = 100_000, 512, 256
    x, V, U = rows(tokens, width), rows(width, hidden).requires_grad_(), rows(width, hidden).requires_grad_()
    w, offsets = rows(hidden, 1).requires_grad_(), torch.tensor([0, tokens], device="cuda")
    kept = {}
    for backend in ("triton", "reference"):
        with use_backend(backend):
            before = torch.cuda.memory_allocated()
            z, lse = gated_pool(x, V, U, w, offsets)
            kept[backend] = torch.cuda.memory_allocated() - before
            del z, lse
    assert 3 * kept["triton"] < kept["reference"]
