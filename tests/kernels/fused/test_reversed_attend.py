import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.reversed_attend import reversed_attend
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.fused.queries import LAYOUTS, on
from tests.kernels.operations import MASKS, mask_of, numbers, strictly


def qkv(n: int = 17, m: int = 20, batch: int = 1, heads: int = 2, d: int = 5, e: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    return numbers(batch, heads, n, d), numbers(batch, heads, m, d, seed=1), numbers(batch, heads, n, e, seed=2)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("kind", MASKS)
def test_it_is_the_reference_forward_and_backward(kind: str, device: str, dtype: torch.dtype) -> None:
    mask = mask_of(kind, 17, 20)
    check_fused(lambda q, k, v: reversed_attend(q, k, v, on(mask, q, dtype), 0.3), qkv(batch=2, heads=4), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_are_rounded_at_the_end(device: str, dtype: torch.dtype) -> None:
    check_fused(reversed_attend, qkv(d=20, e=3), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize(
    ("n", "m", "batch", "d", "e"), [(1, 1, 1, 1, 1), (1, 33, 1, 3, 2), (33, 2, 1, 3, 17), (16, 32, 1, 33, 4), (3, 3, 0, 4, 4)]
)
def test_every_size_comes_out_whole(n: int, m: int, batch: int, d: int, e: int, device: str, dtype: torch.dtype) -> None:
    check_fused(reversed_attend, qkv(n, m, batch, 2, d, e), device, dtype)


@needs_interpreter
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_may_lie_in_memory_as_they_like(layout: str) -> None:
    lie = LAYOUTS[layout]
    inputs, mask = qkv(batch=2), mask_of("pairs", 17, 20)
    assert mask is not None
    moved = mask.expand(2, 2, 17, 20).mT.contiguous().mT if layout == "columns" else mask
    check_fused(lambda q, k, v: lie(reversed_attend(lie(q), lie(k), lie(v), moved)), inputs, "cpu", torch.float64)


@needs_interpreter
def test_the_gradient_of_a_plain_sum_is_right() -> None:
    leaves = [x.requires_grad_() for x in qkv(3, 4)]
    grads = []
    for backend in ("reference", "triton"):
        with strictly(backend):
            grads.append(torch.autograd.grad(reversed_attend(*leaves).sum(), leaves))  # of one number, stretched by stride 0
    for wanted, got in zip(*grads, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-14)


@needs_interpreter
def test_a_query_that_sees_nothing_sends_nothing_and_gets_no_gradient() -> None:
    leaves = [x.requires_grad_() for x in qkv(5, 7)]
    seen = torch.ones(5, 7, dtype=torch.bool)
    seen[0] = False
    seen[:, 3] = False
    with strictly("triton"):
        y = reversed_attend(*leaves, seen)
    assert (y[:, :, 3] == 0).all()
    for grad, place in zip(torch.autograd.grad(y.square().sum(), leaves), (0, 3, 0), strict=True):
        assert grad.isfinite().all()
        assert (grad[:, :, place] == 0).all()


@needs_interpreter
def test_what_is_not_a_number_is_not_hidden() -> None:
    q, k, v = qkv(3, 4)
    q[0, 0, 1, 0] = torch.nan
    with strictly("triton"):
        y = reversed_attend(q, k, v)
    assert y[0, 0].isnan().all()
    assert y[0, 1].isfinite().all()


@needs_interpreter
@pytest.mark.parametrize("needs", [(False, False, True), (True, False, False), (False, True, True)])
def test_it_answers_for_the_gradients_that_are_asked(needs: tuple[bool, ...]) -> None:
    found = []
    for backend in ("reference", "triton"):
        leaves = [x.requires_grad_(need) for x, need in zip(qkv(4, 5), needs, strict=True)]
        with strictly(backend):
            y = reversed_attend(*leaves)
        found.append(torch.autograd.grad(y.square().sum(), [x for x, need in zip(leaves, needs, strict=True) if need]))
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted)


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in qkv(2, 3, 1, 1, 2, 2)]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda *x: reversed_attend(*x, torch.tensor([[True, True, False]] * 2)), leaves, fast_mode=True)


@needs_interpreter
def test_a_gradient_of_the_mask_and_very_wide_heads_are_left_to_torch() -> None:
    q, k, v = qkv(3, 4)
    bias = numbers(3, 4).requires_grad_()
    with use_backend("triton"):
        assert explain(reversed_attend, q, k, v, bias).startswith(
            "torch (backend triton; triton declines: the gradient of a mask is torch's"
        )
        with torch.no_grad():
            assert explain(reversed_attend, q, k, v, bias).startswith("triton ")
        wide = numbers(1, 2, 3, 257)
        assert "heads of width 257; kernels hold 256 at most" in explain(reversed_attend, q, k, wide)
    assert "triton does not pay: not measured on this device" in explain(reversed_attend, q, k, v)
