import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.head_mean_map import head_mean_map
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.fused.queries import LAYOUTS, on, seen_lse
from tests.kernels.operations import MASKS, mask_of, numbers, strictly


def qk(n: int = 17, m: int = 20, batch: int = 1, heads: int = 2, d: int = 5) -> tuple[Tensor, Tensor]:
    return numbers(batch, heads, n, d), numbers(batch, heads, m, d, seed=1)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("kind", MASKS)
def test_it_is_the_reference_forward_and_backward(kind: str, device: str, dtype: torch.dtype) -> None:
    mask = mask_of(kind, 17, 20)
    check_fused(lambda q, k: head_mean_map(q, k, None, on(mask, q, dtype), 0.3), qk(batch=2, heads=4), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
def test_a_log_sum_exp_that_is_known_changes_nothing(device: str, dtype: torch.dtype) -> None:
    def call(q: Tensor, k: Tensor) -> Tensor:
        given = on(mask, q, dtype)
        return head_mean_map(q, k, seen_lse(q, k, given, 0.3), given, 0.3)

    mask = mask_of("pairs", 17, 20)
    check_fused(call, qk(batch=2), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_the_answer_of_half_inputs_is_not_rounded(device: str, dtype: torch.dtype) -> None:
    check_fused(head_mean_map, qk(d=20), device, dtype)
    with strictly("triton"):
        rows = head_mean_map(*(x.to(dtype) for x in qk(3, 20))).sum(-1)
    torch.testing.assert_close(rows, torch.ones(1, 3), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize(("n", "m", "batch", "heads", "d"), [(1, 1, 1, 1, 1), (1, 33, 1, 3, 3), (33, 2, 1, 2, 17), (3, 3, 0, 2, 4)])
def test_every_size_comes_out_whole(n: int, m: int, batch: int, heads: int, d: int, device: str, dtype: torch.dtype) -> None:
    check_fused(head_mean_map, qk(n, m, batch, heads, d), device, dtype)


@needs_interpreter
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_may_lie_in_memory_as_they_like(layout: str) -> None:
    lie = LAYOUTS[layout]

    def call(q: Tensor, k: Tensor) -> Tensor:
        mean = head_mean_map(lie(q), lie(k))
        return mean if layout == "heads inside" else lie(mean)  # so that the gradient of the map lies otherwise, too

    check_fused(call, qk(batch=2), "cpu", torch.float64)


@needs_interpreter
def test_a_query_that_sees_nothing_has_a_row_of_zeros_and_no_gradient() -> None:
    leaves = [x.requires_grad_() for x in qk(5, 7)]
    with strictly("triton"):
        mean = head_mean_map(*leaves, mask=mask_of("pairs", 5, 7, batch=1))
    assert (mean[:, 0] == 0).all()
    grads = torch.autograd.grad(mean.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][:, :, 0] == 0).all()


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = [x.requires_grad_() for x in qk(2, 3, 1, 2, 2)]
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(head_mean_map, leaves, fast_mode=True)


@needs_interpreter
def test_a_gradient_of_the_mask_and_very_wide_heads_are_left_to_torch() -> None:
    q, k = qk(3, 4)
    with use_backend("triton"):
        assert "the gradient of a mask is torch's" in explain(head_mean_map, q, k, mask=numbers(3, 4).requires_grad_())
        wide = numbers(1, 2, 3, 300)
        assert "heads of width 300" in explain(head_mean_map, wide, wide)
    assert "triton does not pay: not measured on this device" in explain(head_mean_map, q, k)
