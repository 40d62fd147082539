import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.paired_attention import paired_attention
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter, relative
from tests.kernels.fused.queries import on
from tests.kernels.operations import strictly
from tests.kernels.programs import randn

HEADS = 2


def parts(n: int, m: int, others: int, d: int = 5, e: int = 3, batch: int = 1) -> list[Tensor]:
    """q, k1, v1, k2, v2."""
    sizes = (n, d), (m, d), (m, e), (others, d), (others, e)
    return [randn(batch, HEADS, *size, seed=i) for i, size in enumerate(sizes)]


def mask_of(kind: str, n: int, m: int) -> Tensor | None:
    """Query 0 sees nothing wherever the mask may tell queries apart."""
    seen = randn(1, HEADS if kind == "each head" else 1, n, m, seed=m) < 0.4
    seen[:, :, 0] = False
    hidden = torch.zeros(1, 1, 1, m, dtype=torch.bool)
    kinds = {"none": None, "all": hidden, "hard bias": randn(n, m, seed=4).masked_fill(~seen[0, 0], -torch.inf)}
    return kinds.get(kind, seen)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize(("kind", "other"), [
    ("none", "none"), ("each head", "none"), ("none", "hard bias"), ("hard bias", "pairs"),
    ("all", "none"), ("none", "all"), ("all", "all"),
])  # fmt: skip
def test_it_is_the_reference_forward_and_backward(kind: str, other: str, device: str, dtype: torch.dtype) -> None:
    mask1, mask2 = mask_of(kind, 18, 17), mask_of(other, 18, 19)

    def call(*inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        return paired_attention(*inputs, on(mask1, inputs[0], dtype), on(mask2, inputs[0], dtype), 0.3)

    check_fused(call, parts(18, 17, 19), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_are_rounded_once(device: str, dtype: torch.dtype) -> None:
    check_fused(paired_attention, parts(17, 18, 3, 20, 18), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON[:2])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (1, 33, 1, 3, 2), (17, 1, 17, 2, 17), (16, 16, 16, 16, 16)])
def test_every_size_comes_out_whole(sizes: tuple[int, ...], device: str, dtype: torch.dtype) -> None:
    check_fused(paired_attention, parts(*sizes), device, dtype)


@needs_interpreter
def test_no_batch_gives_nothing() -> None:
    leaves = [x[:0].requires_grad_() for x in parts(3, 4, 2)]
    with strictly("triton"):
        out, own = paired_attention(*leaves)
    assert out.shape == (0, HEADS, 3, 3)
    assert own is not None
    assert own.shape == (0, HEADS, 3)
    assert all(grad.shape == x.shape for grad, x in zip(torch.autograd.grad(out.sum(), leaves), leaves, strict=True))


@needs_interpreter
def test_strides_are_followed() -> None:
    q, k1, k2 = (randn(2, 6, HEADS, 8, seed=i)[..., :4].transpose(1, 2) for i in range(3))  # heads beside one another, half of the width
    v1 = randn(2, HEADS, 8, 6, seed=3).transpose(2, 3)[..., ::2]  # rows that do not lie in one piece
    v2 = randn(1, HEADS, 6, 4, seed=4).expand(2, HEADS, 6, 4)  # one partner for the whole batch
    k2 = k2[:1].expand(2, HEADS, 6, 4)
    mask = randn(6, 6, seed=5).T < 0.5
    with strictly("triton"):
        got = paired_attention(q, k1, v1, k2, v2, mask)
    with use_backend("reference"):
        torch.testing.assert_close(got, paired_attention(q, k1, v1, k2, v2, mask))


@needs_interpreter
def test_the_own_mass_carries_no_gradient_and_costs_nothing_where_it_is_not_wanted() -> None:
    leaves = [x.requires_grad_() for x in parts(3, 4, 2)]
    with strictly("triton"):
        out, own = paired_attention(*leaves)
        alone, nothing = paired_attention(*leaves, need_own=False)
    assert own is not None
    assert not own.requires_grad
    assert nothing is None
    assert torch.equal(out, alone)


@needs_interpreter
@pytest.mark.parametrize("kind", ["pairs", "hard bias"])
def test_a_query_that_sees_nothing_in_either_set_gives_zeros_and_no_gradient(kind: str) -> None:
    leaves = [x.requires_grad_() for x in parts(3, 5, 4)]
    with strictly("triton"):
        out, own = paired_attention(*leaves, mask_of(kind, 3, 5), mask_of("pairs", 3, 4))
    gradients = torch.autograd.grad(out.square().sum(), leaves)
    assert own is not None
    assert (out[:, :, 0] == 0).all()
    assert (own[:, :, 0] == 0).all()
    assert (gradients[0][:, :, 0] == 0).all()
    assert all(x.isfinite().all() for x in gradients)


@needs_interpreter
@pytest.mark.parametrize("alone", range(5))
def test_a_gradient_that_is_wanted_alone_is_the_same(alone: int) -> None:
    inputs = parts(3, 5, 4)
    inputs[alone].requires_grad_()
    found = []
    for backend in ("reference", "triton"):
        with strictly(backend):
            found.append(torch.autograd.grad(paired_attention(*inputs)[0].square().sum(), inputs[alone])[0])
    torch.testing.assert_close(*found)


@needs_interpreter
def test_autocast_rounds_the_factors_of_products_alone() -> None:
    inputs = [x.float() for x in parts(5, 17, 3)]
    with strictly("triton"), torch.autocast("cpu", dtype=torch.bfloat16):
        got = paired_attention(*inputs)[0]
    with use_backend("reference"):
        wanted = paired_attention(*(x.bfloat16().double() for x in inputs))[0]
    assert got.dtype == torch.float32
    assert relative(got, wanted) < 5e-3


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in parts(2, 2, 1, 2, 2)]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda *x: paired_attention(*x, scale=0.4)[0], leaves)


@needs_interpreter
def test_it_says_what_it_leaves_to_torch() -> None:
    with use_backend("triton"):
        assert "the gradient of a mask is torch's" in explain(paired_attention, *parts(3, 4, 2), None, randn(3, 2).requires_grad_())
        assert "width 257" in explain(paired_attention, *parts(3, 4, 2, 257))
        assert explain(paired_attention, *parts(3, 4, 2)).startswith("triton ")
