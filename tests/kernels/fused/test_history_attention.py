import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.history_attention import history_attention
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.operations import strictly
from tests.kernels.programs import LENGTHS, offsets_of, randn

NORMS = ["signed", "l1", "softmax"]


def arguments(
    nodes: int, layers: int = 3, width: int = 5, bias: tuple[int, ...] | None = None, shared: bool = False
) -> tuple[Tensor | None, ...]:
    u = randn(width, seed=1) if shared else randn(nodes, width, seed=1)
    return randn(nodes, layers, width), u, None if bias is None else randn(*bias, seed=2)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.05, 0.9])  # with 0.9 the guard acts on nearly every node
def test_each_node_on_its_own_is_the_reference(norm: str, eps: float, device: str, dtype: torch.dtype) -> None:
    for inputs in (arguments(5, bias=(5, 3)), arguments(3, bias=(3,), shared=True), arguments(1, 1, 1)):
        check_fused(lambda *given: history_attention(*given, norm=norm, eps=eps), inputs, device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_weights_of_graphs_are_the_reference(lengths: list[int], norm: str, device: str, dtype: torch.dtype) -> None:
    inputs = (*arguments(sum(lengths), bias=(3,), shared=lengths == [5]), offsets_of(lengths))
    check_fused(lambda *given: history_attention(*given, norm=norm, eps=0.3), inputs, device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes(device: str, dtype: torch.dtype) -> None:
    for offsets in (None, offsets_of([4, 3], torch.int32)):
        check_fused(lambda *given: history_attention(*given, norm="softmax"), (*arguments(7, 2, 5), offsets), device, dtype)


@needs_interpreter
@pytest.mark.parametrize("norm", NORMS)
def test_scores_of_zero_give_even_weights_and_no_gradient_of_scores(norm: str) -> None:
    states, u, _ = arguments(4)
    u = torch.zeros_like(u).requires_grad_()
    with strictly("triton"):
        z, a = history_attention(states, u, norm=norm)
        (du,) = torch.autograd.grad(z.square().sum(), u)
    torch.testing.assert_close(a, torch.full_like(a, 1 / 3))
    assert du.isfinite().all()
    assert norm == "softmax" or (du == 0).all()


@needs_interpreter
def test_strides_are_followed_and_a_frozen_history_gets_no_gradient() -> None:
    states, u, _ = arguments(6)
    states = states.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    u.requires_grad_()
    for offsets in (None, offsets_of([2, 4])):
        answers = []
        for backend in ("triton", "reference"):
            with use_backend(backend):
                z, a = history_attention(states, u, None, offsets, "signed")
                answers.append((z, a, torch.autograd.grad(z.square().sum() + a.square().sum(), u)[0]))
        torch.testing.assert_close(*answers)


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = tuple(x.requires_grad_() for x in arguments(2, 2, 2, bias=(2,)) if x is not None)
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda *given: history_attention(*given, norm="softmax"), leaves)


@needs_interpreter
def test_what_it_cannot_is_left_to_torch() -> None:
    with use_backend("triton"):
        assert "at most 128 layers, not 129" in explain(history_attention, *arguments(2, 129))
        assert "there are no scores" in explain(history_attention, randn(2, 3, 4), None, norm="uniform")
