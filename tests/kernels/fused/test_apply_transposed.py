import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.apply_transposed import apply_transposed
from kernels.errors import LIMITS
from kernels.reversed_attend import triton_form
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter, relative
from tests.kernels.fused.queries import LAYOUTS, on, seen_lse
from tests.kernels.operations import mask_of, numbers, strictly


def qkr(n: int = 17, m: int = 20, batch: int = 1, heads: int = 2, d: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    return numbers(batch, heads, n, d), numbers(batch, heads, m, d, seed=1), numbers(batch, heads, n, seed=2)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("with_lse", [False, True])
@pytest.mark.parametrize("kind", ["none", "each head", "hard bias"])
def test_it_is_the_reference_forward_and_backward(kind: str, with_lse: bool, device: str, dtype: torch.dtype) -> None:
    def call(q: Tensor, k: Tensor, r: Tensor) -> Tensor:
        given = on(mask, q, dtype)
        return apply_transposed(q, k, r, seen_lse(q, k, given, 0.3) if with_lse else None, given, 0.3)

    mask = mask_of(kind, 17, 20)
    check_fused(call, qkr(batch=2, heads=4), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
def test_one_row_for_all_heads(device: str, dtype: torch.dtype) -> None:
    q, k, r = qkr(batch=2)
    check_fused(apply_transposed, (q, k, r[:, 0]), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_the_answer_of_half_inputs_is_not_rounded(device: str, dtype: torch.dtype) -> None:
    check_fused(apply_transposed, qkr(d=20), device, dtype)
    with strictly("triton"):
        assert apply_transposed(*(x.to(dtype) for x in qkr(3, 4))).dtype == torch.float32


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize(("n", "m", "batch", "d"), [(1, 1, 1, 1), (1, 33, 1, 3), (33, 2, 1, 17), (3, 3, 0, 4)])
def test_every_size_comes_out_whole(n: int, m: int, batch: int, d: int, device: str, dtype: torch.dtype) -> None:
    check_fused(apply_transposed, qkr(n, m, batch, 2, d), device, dtype)


@needs_interpreter
@pytest.mark.parametrize("layout", ["columns", "among NaN"])
def test_numbers_may_lie_in_memory_as_they_like(layout: str) -> None:
    lie = LAYOUTS[layout]
    check_fused(lambda q, k, r: apply_transposed(lie(q), lie(k), lie(r), lie(seen_lse(q, k, None, 5**-0.5))), qkr(), "cpu", torch.float64)


@needs_interpreter
def test_a_log_sum_exp_in_too_few_digits_is_not_used_and_none_gets_a_gradient() -> None:
    q, k, r = qkr(3, 4)
    lse = seen_lse(q, k, None, 5**-0.5).requires_grad_()
    with strictly("triton"):
        torch.testing.assert_close(apply_transposed(q, k, r, lse.bfloat16()), apply_transposed(q, k, r, lse), rtol=1e-12, atol=0)
        assert not apply_transposed(q, k, r, lse).requires_grad
        c = apply_transposed(q, k, r.requires_grad_(), lse)
    assert torch.autograd.grad(c.sum(), [r, lse], allow_unused=True)[1] is None


@needs_interpreter
def test_weights_that_sum_to_one_still_do_but_for_a_query_that_sees_nothing() -> None:
    q, k, _ = qkr(17, 20)
    r = torch.ones(1, 2, 17, dtype=torch.float64) / 17
    with strictly("triton"):
        torch.testing.assert_close(apply_transposed(q, k, r).sum(-1), torch.ones(1, 2, dtype=torch.float64))
        part = apply_transposed(q, k, r, mask=mask_of("pairs", 17, 20, batch=1))
    torch.testing.assert_close(part.sum(-1), torch.full((1, 2), 16 / 17, dtype=torch.float64))


@needs_interpreter
def test_a_small_row_leaves_gradients_their_digits_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """r and P are both of the size of one over the tokens: their product has no digits in half precision."""
    monkeypatch.setattr(triton_form, "dot_dtype", lambda *x: torch.float16)  # as a device rounds the factors of products
    q, k, r = (x.half().float() for x in qkr(33, 64))
    r = (r * 1e-4).half().float()
    leaves, exact = ([x.to(dtype).requires_grad_() for x in (q, k, r)] for dtype in (torch.float32, torch.float64))
    with strictly("triton"):
        found = apply_transposed(*leaves)
    with use_backend("reference"):
        wanted = apply_transposed(*exact)
    g = numbers(1, 2, 64, seed=3)
    for got, true in zip(torch.autograd.grad(found, leaves, g.float()), torch.autograd.grad(wanted, exact, g), strict=True):
        assert relative(got, true) < LIMITS[torch.float16][1]


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in qkr(2, 3, 1, 1, 2)]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(apply_transposed, leaves, fast_mode=True)


@needs_interpreter
def test_a_gradient_of_the_mask_and_very_wide_heads_are_left_to_torch() -> None:
    q, k, r = qkr(3, 4)
    with use_backend("triton"):
        assert "the gradient of a mask is torch's" in explain(apply_transposed, q, k, r, mask=numbers(3, 4).requires_grad_())
        wide = numbers(1, 2, 3, 300)
        assert "heads of width 300" in explain(apply_transposed, wide, wide, r)
    assert "triton does not pay: not measured on this device" in explain(apply_transposed, q, k, r)
