from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.sigmoid_attention import sigmoid_attention
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter, relative
from tests.kernels.fused.queries import on
from tests.kernels.operations import strictly
from tests.kernels.programs import randn

HEADS = 2


def qkv(n: int, m: int, d: int = 5, e: int = 3, batch: int = 1) -> list[Tensor]:
    return [randn(batch, HEADS, n, d), randn(batch, HEADS, m, d, seed=1), randn(batch, HEADS, m, e, seed=2)]


def mask_of(kind: str, n: int, m: int) -> Tensor | None:
    """Query 0 sees nothing wherever the mask may tell queries apart."""
    seen = randn(1, HEADS if kind == "each head" else 1, n, m, seed=3) < 0.4
    seen[:, :, 0] = False
    kinds = {"none": None, "keys": seen[:, :, -1:], "hard bias": randn(n, m, seed=4).masked_fill(~seen[0, 0], -torch.inf)}
    return kinds.get(kind, seen)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["none", "keys", "each head", "hard bias"])
def test_it_is_the_reference_forward_and_backward(kind: str, causal: bool, device: str, dtype: torch.dtype) -> None:
    n, m = 18, 18 if causal else 21
    mask = mask_of(kind, n, m)

    def call(*inputs: Tensor) -> Tensor:
        return sigmoid_attention(*inputs, on(mask, inputs[0], dtype), causal, 0.3)

    check_fused(call, [*qkv(n, m), randn(HEADS, seed=5)], device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("shape", [(), (HEADS,), (1, 1, 17, 1), (2, 1, 17, 1), (2, HEADS, 17, 1)])
def test_a_bias_of_every_shape_gets_its_gradient(shape: tuple[int, ...], device: str, dtype: torch.dtype) -> None:
    check_fused(sigmoid_attention, [*qkv(17, 3, batch=2), randn(*shape, seed=5) if shape else randn(1, seed=5)[0]], device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON[:2])
def test_a_number_is_a_bias(device: str, dtype: torch.dtype) -> None:
    check_fused(lambda q, k, v: sigmoid_attention(q, k, v, -1.7), qkv(3, 17), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_are_rounded_once(device: str, dtype: torch.dtype) -> None:
    check_fused(sigmoid_attention, [*qkv(17, 18, 20, 18), randn(HEADS, seed=5)], device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON[:2])
@pytest.mark.parametrize(("n", "m", "d", "e"), [(1, 1, 1, 1), (1, 33, 3, 2), (33, 1, 2, 17), (16, 16, 16, 16)])
def test_every_size_comes_out_whole(n: int, m: int, d: int, e: int, device: str, dtype: torch.dtype) -> None:
    check_fused(sigmoid_attention, [*qkv(n, m, d, e), randn(HEADS, seed=5)], device, dtype)


@needs_interpreter
def test_no_batch_gives_nothing() -> None:
    leaves = [x[:0].requires_grad_() for x in qkv(3, 4)]
    with strictly("triton"):
        out = sigmoid_attention(*leaves, 0.0)
    assert out.shape == (0, HEADS, 3, 3)
    assert all(grad.shape == x.shape for grad, x in zip(torch.autograd.grad(out.sum(), leaves), leaves, strict=True))


@needs_interpreter
def test_strides_are_followed() -> None:
    q, k = (randn(2, 6, HEADS, 8, seed=i)[..., :4].transpose(1, 2) for i in range(2))  # heads beside one another, half of the width
    v = randn(2, HEADS, 8, 6, seed=2).transpose(2, 3)[..., ::2]  # rows that do not lie in one piece
    bias, mask = randn(6, 2, seed=3).transpose(0, 1)[:, None, :, None], randn(6, 6, seed=4).T < 0.5
    with strictly("triton"):
        got = sigmoid_attention(q, k, v, bias, mask)
    with use_backend("reference"):
        torch.testing.assert_close(got, sigmoid_attention(q, k, v, bias, mask))


@needs_interpreter
def test_huge_logits_stay_finite_and_hidden_pairs_are_exactly_zero() -> None:
    leaves = [(1e4 * x).float().requires_grad_() for x in qkv(4, 17)]
    with strictly("triton"):
        out = sigmoid_attention(*leaves, 0.0, mask_of("each head", 4, 17))
    gradients = torch.autograd.grad(out.sum(), leaves)
    assert (out[:, :, 0] == 0).all()
    assert (gradients[0][:, :, 0] == 0).all()
    assert all(x.isfinite().all() for x in (out, *gradients))


@needs_interpreter
@pytest.mark.parametrize("alone", range(4))
def test_a_gradient_that_is_wanted_alone_is_the_same(alone: int) -> None:
    inputs: list[Any] = [*qkv(3, 5), randn(HEADS, seed=5)]
    inputs[alone].requires_grad_()
    found = []
    for backend in ("reference", "triton"):
        with strictly(backend):
            found.append(torch.autograd.grad(sigmoid_attention(*inputs).square().sum(), inputs[alone])[0])
    torch.testing.assert_close(*found)


@needs_interpreter
def test_autocast_rounds_the_factors_of_products_alone() -> None:
    inputs = [x.float() for x in qkv(5, 17)]
    with strictly("triton"), torch.autocast("cpu", dtype=torch.bfloat16):
        got = sigmoid_attention(*inputs, -0.7)
    with use_backend("reference"):
        wanted = sigmoid_attention(*(x.bfloat16().double() for x in inputs), -0.7)
    assert got.dtype == torch.float32
    assert relative(got, wanted) < 5e-3


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in (*qkv(2, 3, 2, 2), randn(HEADS, seed=5))]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda *x: sigmoid_attention(*x, None, False, 0.4), leaves)


@needs_interpreter
def test_it_says_what_it_leaves_to_torch() -> None:
    q, k, v = qkv(3, 4)
    with use_backend("triton"):
        assert "the gradient of a mask is torch's" in explain(sigmoid_attention, q, k, v, 0.0, randn(3, 4).requires_grad_())
        assert "width 257" in explain(sigmoid_attention, *qkv(3, 4, 257), 0.0)
        assert explain(sigmoid_attention, q, k, v, 0.0).startswith("triton ")
