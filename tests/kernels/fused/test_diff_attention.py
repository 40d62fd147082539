import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.diff_attention import diff_attention
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter, relative
from tests.kernels.fused.queries import on
from tests.kernels.operations import strictly
from tests.kernels.programs import randn

HEADS = 2


def parts(n: int, m: int, kept: int = HEADS, d: int = 5, e: int = 3, batch: int = 1) -> list[Tensor]:
    """q1, k1, q2, k2, v, lam."""
    shapes = (HEADS, n, d), (HEADS, m, d), (kept, n, d), (kept, m, d), (HEADS, m, e)
    return [*(randn(batch, *shape, seed=i) for i, shape in enumerate(shapes)), randn(HEADS, seed=5)]


def mask_of(kind: str, n: int, m: int) -> Tensor | None:
    """Query 0 sees nothing wherever the mask may tell queries apart."""
    seen = randn(1, HEADS if kind == "each head" else 1, n, m, seed=3) < 0.4
    seen[:, :, 0] = False
    kinds = {"none": None, "keys": seen[:, :, -1:], "hard bias": randn(n, m, seed=4).masked_fill(~seen[0, 0], -torch.inf)}
    return kinds.get(kind, seen)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize(("kind", "causal", "kept"), [
    ("none", False, 1), ("none", True, 2), ("keys", False, 2), ("each head", False, 1), ("each head", True, 1), ("hard bias", False, 2),
])  # fmt: skip
def test_it_is_the_reference_forward_and_backward(kind: str, causal: bool, kept: int, device: str, dtype: torch.dtype) -> None:
    n, m = 18, 18 if causal else 19
    mask = mask_of(kind, n, m)

    def call(*inputs: Tensor) -> Tensor:
        return diff_attention(*inputs, on(mask, inputs[0], dtype), causal, 0.3)

    check_fused(call, parts(n, m, kept), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("kept", [1, HEADS])
def test_one_share_for_all_heads_gets_its_gradient(kept: int, device: str, dtype: torch.dtype) -> None:
    *inputs, lam = parts(3, 17, kept, batch=2)
    check_fused(diff_attention, [*inputs, lam[0]], device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_are_rounded_once(device: str, dtype: torch.dtype) -> None:
    # lam's gradient is a sum of signed terms: what rounding the cotangent alone does to it is more than the tolerance of the others
    *inputs, lam = parts(17, 18, 1, 20, 18)
    check_fused(lambda *given: diff_attention(*given, lam.to(given[0])), inputs, device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON[:2])
@pytest.mark.parametrize("sizes", [(1, 2, 1, 1, 1), (1, 33, 2, 3, 2), (17, 3, 2, 2, 17), (16, 16, 2, 16, 16)])
def test_every_size_comes_out_whole(sizes: tuple[int, ...], device: str, dtype: torch.dtype) -> None:
    check_fused(diff_attention, parts(*sizes), device, dtype)


@needs_interpreter
def test_of_one_key_it_is_what_the_share_leaves_and_there_is_nothing_to_learn_about_likeness() -> None:
    *inputs, lam = parts(2, 1)
    leaves = [x.requires_grad_() for x in inputs]
    with strictly("triton"):
        out = diff_attention(*leaves, lam)
    torch.testing.assert_close(out, ((1 - lam)[:, None, None] * leaves[4]).expand_as(out))
    for gradient in torch.autograd.grad(out.square().sum(), leaves[:4]):
        assert gradient.abs().max() < 1e-12


@needs_interpreter
def test_no_batch_gives_nothing() -> None:
    *inputs, lam = parts(3, 4)
    leaves = [*(x[:0].requires_grad_() for x in inputs), lam.requires_grad_()]
    with strictly("triton"):
        out = diff_attention(*leaves)
    assert out.shape == (0, HEADS, 3, 3)
    gradients = torch.autograd.grad(out.sum(), leaves)
    assert all(grad.shape == x.shape for grad, x in zip(gradients, leaves, strict=True))
    assert (gradients[-1] == 0).all()


@needs_interpreter
def test_strides_are_followed() -> None:
    q1, k1, q2, k2 = (randn(2, 6, HEADS, 8, seed=i)[..., 4:].transpose(1, 2) for i in range(4))  # heads beside one another, half the width
    v = randn(2, HEADS, 8, 6, seed=4).transpose(2, 3)[..., ::2]  # rows that do not lie in one piece
    lam, mask = randn(2 * HEADS, seed=5)[::2], randn(6, 6, seed=6).T < 0.5
    with strictly("triton"):
        got = diff_attention(q1, k1, q2, k2, v, lam, mask)
    with use_backend("reference"):
        torch.testing.assert_close(got, diff_attention(q1, k1, q2, k2, v, lam, mask))


@needs_interpreter
def test_a_query_that_sees_nothing_gives_zeros_and_no_gradient() -> None:
    leaves = [x.requires_grad_() for x in parts(3, 5, 1)]
    with strictly("triton"):
        out = diff_attention(*leaves, mask_of("each head", 3, 5))
    gradients = torch.autograd.grad(out.square().sum(), leaves)
    assert (out[:, :, 0] == 0).all()
    assert (gradients[0][:, :, 0] == 0).all()
    assert (gradients[2][:, :, 0] == 0).all()
    assert all(x.isfinite().all() for x in gradients)


@needs_interpreter
@pytest.mark.parametrize("alone", range(6))
def test_a_gradient_that_is_wanted_alone_is_the_same(alone: int) -> None:
    inputs = parts(3, 5, 1)
    inputs[alone].requires_grad_()
    found = []
    for backend in ("reference", "triton"):
        with strictly(backend):
            found.append(torch.autograd.grad(diff_attention(*inputs).square().sum(), inputs[alone])[0])
    torch.testing.assert_close(*found)


@needs_interpreter
def test_autocast_rounds_the_factors_of_products_alone() -> None:
    inputs = [x.float() for x in parts(5, 17, 1)]
    with strictly("triton"), torch.autocast("cpu", dtype=torch.bfloat16):
        got = diff_attention(*inputs)
    with use_backend("reference"):
        wanted = diff_attention(*(x.bfloat16().double() for x in inputs[:5]), inputs[5].double())
    assert got.dtype == torch.float32
    assert relative(got, wanted) < 5e-3


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in parts(2, 2, 1, 2, 2)]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda *x: diff_attention(*x, None, False, 0.4), leaves)


@needs_interpreter
def test_it_says_what_it_leaves_to_torch() -> None:
    with use_backend("triton"):
        assert "the gradient of a mask is torch's" in explain(diff_attention, *parts(3, 4), randn(3, 4).requires_grad_())
        assert "width 257" in explain(diff_attention, *parts(3, 4, 2, 257))
        assert explain(diff_attention, *parts(3, 4, 1), mask_of("each head", 3, 4)).startswith("triton ")
