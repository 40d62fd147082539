import pytest
import torch
from torch import Tensor

from kernels.segment_pool import segment_pool
from tests.kernels.programs import LENGTHS, compiles_and_exports, offsets_of, randn, traces


@pytest.mark.parametrize("lengths", LENGTHS)
def test_it_is_the_weighted_sum_of_each_segment_alone(lengths: list[int]) -> None:
    x, weights, offsets = randn(sum(lengths), 3), randn(sum(lengths), 2, seed=1), offsets_of(lengths)
    z = segment_pool(x, weights, offsets)
    torch.testing.assert_close(z, torch.stack([w.T @ part for part, w in zip(x.split(lengths), weights.split(lengths), strict=True)]))
    assert torch.equal(segment_pool(x, weights, offsets.int()), z)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_gradients_are_right_in_float64(lengths: list[int]) -> None:
    leaves = [randn(sum(lengths), 3).requires_grad_(), randn(sum(lengths), 2, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(lambda x, w: segment_pool(x, w, offsets_of(lengths)), leaves)
    assert torch.autograd.gradgradcheck(lambda x, w: segment_pool(x, w, offsets_of(lengths)), leaves)


def test_sums_are_made_in_float32_for_half_inputs_under_autocast() -> None:
    x, offsets = torch.full((4096, 1), 1.0, dtype=torch.bfloat16), offsets_of([4096])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = segment_pool(x, torch.ones(4096, 1, dtype=torch.bfloat16), offsets)
    assert z.dtype == torch.bfloat16
    assert z.item() == 4096  # a sum in bfloat16 stops at 256


def test_it_takes_strided_tokens() -> None:
    x, weights, offsets = randn(3, 5).T, randn(2, 5, seed=1).T, offsets_of([2, 3])
    torch.testing.assert_close(segment_pool(x, weights, offsets), segment_pool(x.contiguous(), weights.contiguous(), offsets))


def test_programs_equal_eager() -> None:
    def inputs(lengths: list[int]) -> tuple[Tensor, ...]:
        return randn(sum(lengths), 3), randn(sum(lengths), 2, seed=1), offsets_of(lengths)

    traces(segment_pool, inputs)
    compiles_and_exports(segment_pool, inputs)


def test_wrong_arguments_are_named() -> None:
    x, weights = randn(5, 3), randn(5, 2)
    with pytest.raises(ValueError, match=r"\(5, 3\) and \(4, 2\)"):
        segment_pool(x, weights[:4], offsets_of([5]))
    with pytest.raises(ValueError, match=r"weights \(T, K\), not \(5, 3\) and \(5,\)"):
        segment_pool(x, weights[:, 0], offsets_of([5]))
    with pytest.raises(ValueError, match=r"segment_pool: offsets .* tokens, 5"):
        segment_pool(x, weights, offsets_of([6]))
