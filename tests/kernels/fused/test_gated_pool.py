import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.gated_pool import gated_pool, triton_form
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.operations import strictly
from tests.kernels.programs import offsets_of, randn

RAGGED = [[5], [0, 0], [3, 0, 1, 4], [1, 0, 17, 3], [1] * 9]


def arguments(lengths: list[int], width: int = 5, hidden: int = 3, columns: int = 1, gated: bool = True, biases: bool = True):
    count = sum(lengths)
    V, U = randn(width, hidden, seed=1), randn(width, hidden, seed=2) if gated else None
    bv, bu = (randn(hidden, seed=4) if biases else None), (randn(hidden, seed=5) if biases and gated else None)
    return randn(count, width), V, U, randn(hidden, columns, seed=3), offsets_of(lengths), bv, bu


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("lengths", RAGGED)
def test_it_is_the_reference_forward_and_backward(lengths: list[int], device: str, dtype: torch.dtype) -> None:
    check_fused(gated_pool, arguments(lengths), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("act", ["tanh", "relu"])
@pytest.mark.parametrize("gated", [True, False], ids=["gated", "plain"])
@pytest.mark.parametrize("biases", [True, False], ids=["biases", "none"])
def test_every_network_over_several_blocks_of_all_sizes(act: str, gated: bool, biases: bool, device: str, dtype: torch.dtype) -> None:
    made = arguments([20, 1], 18, 17, 3, gated, biases)
    check_fused(lambda *inputs: gated_pool(*inputs, act), made, device, dtype)


@needs_interpreter
def test_the_gradient_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_form, "PIECE", 5)
    check_fused(gated_pool, arguments([3, 0, 9]), "cpu", torch.float64)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes(device: str, dtype: torch.dtype) -> None:
    check_fused(gated_pool, arguments([20, 1], 18, 17, 2), device, dtype)


@needs_interpreter
def test_frozen_tokens_and_strides() -> None:
    x, V, U, w, offsets, bv, bu = arguments([4, 3])
    x, V = x.t().contiguous().t(), V.t().contiguous().t().requires_grad_()
    with strictly("triton"):
        z, lse = gated_pool(x, V, U, w, offsets, bv, bu)
        (got,) = torch.autograd.grad(z.square().sum() + lse.sum(), V)
    with use_backend("reference"):
        z, lse = gated_pool(x, V, U, w, offsets, bv, bu)
        torch.testing.assert_close(got, torch.autograd.grad(z.square().sum() + lse.sum(), V)[0])


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    x, V, U, w, offsets, bv, bu = (value.requires_grad_() if value.is_floating_point() else value for value in arguments([2, 3], 2, 2))

    def call(x: Tensor, V: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return gated_pool(x, V, U, w, offsets, bv, bu)

    with strictly("triton"):
        assert torch.autograd.gradgradcheck(call, (x, V, w))


@needs_interpreter
def test_short_offsets_are_as_good() -> None:
    x, V, U, w, offsets, bv, bu = arguments([4, 0, 3])
    check_fused(gated_pool, (x, V, U, w, offsets.int(), bv, bu), "cpu", torch.float64)


@needs_interpreter
def test_many_columns_are_left_to_torch() -> None:
    with use_backend("triton"):
        assert "at most 16 columns of scores, not 17" in explain(gated_pool, *arguments([3], columns=17))
