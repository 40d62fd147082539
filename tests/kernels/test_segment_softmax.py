import pytest
import torch
from torch import Tensor

from kernels.ragged import segment_max, segment_of, segment_sum
from kernels.segment_softmax import segment_softmax
from tests.kernels.programs import LENGTHS, compiles_and_exports, offsets_of, randn, traces


@pytest.mark.parametrize("lengths", LENGTHS)
def test_it_is_the_softmax_of_each_segment_alone(lengths: list[int]) -> None:
    scores, offsets = randn(sum(lengths), 2), offsets_of(lengths)
    weights = segment_softmax(scores, offsets)
    torch.testing.assert_close(weights, torch.cat([part.softmax(0) for part in scores.split(lengths)]))
    torch.testing.assert_close(segment_softmax(scores[:, 0], offsets), weights[:, 0])
    assert torch.equal(segment_softmax(scores, offsets.int()), weights)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_sums_and_maxima_are_those_of_each_segment_alone(lengths: list[int]) -> None:
    x, offsets = randn(sum(lengths), 2), offsets_of(lengths)
    segment_T = segment_of(x[:, 0], offsets)
    parts = x.split(lengths)
    torch.testing.assert_close(segment_sum(x, segment_T, offsets), torch.stack([part.sum(0) for part in parts]))
    low = torch.full((1, 2), -torch.inf, dtype=torch.float64)
    torch.testing.assert_close(segment_max(x, segment_T, offsets), torch.stack([torch.cat([part, low]).amax(0) for part in parts]))


@pytest.mark.parametrize("lengths", LENGTHS)
def test_gradients_are_right_in_float64(lengths: list[int]) -> None:
    scores, offsets = randn(sum(lengths), 2).requires_grad_(), offsets_of(lengths)
    assert torch.autograd.gradcheck(lambda s: segment_softmax(s, offsets), [scores])
    assert torch.autograd.gradgradcheck(lambda s: segment_softmax(s, offsets), [scores])


def test_a_hidden_token_gets_weight_exactly_zero_and_no_gradient() -> None:
    scores = randn(7, 1)
    scores[[1, 5, 6]] = -torch.inf  # one of three; all of the last two
    scores.requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        weights = segment_softmax(scores, offsets_of([3, 2, 2]))
        weights.square().sum().backward()
    assert (weights[[1, 5, 6]] == 0).all()
    torch.testing.assert_close(weights[[0, 2]], scores[[0, 2]].softmax(0))
    assert scores.grad is not None
    assert (scores.grad[[1, 5, 6]] == 0).all()
    assert scores.grad.isfinite().all()


def test_nan_stays_in_its_own_segment() -> None:
    scores = randn(6, 2)
    wanted = segment_softmax(scores, offsets_of([3, 3]))
    scores[4] = torch.nan
    weights = segment_softmax(scores, offsets_of([3, 3]))
    assert torch.equal(weights[:3], wanted[:3])
    assert weights[3:].isnan().all()


def test_weights_are_float32_for_half_scores_under_autocast_and_finite_for_huge_ones() -> None:
    scores, offsets = randn(400, 2).bfloat16(), offsets_of([100, 300])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = segment_softmax(scores, offsets)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.double(), segment_softmax(scores.double(), offsets), rtol=1e-5, atol=1e-7)
    assert segment_softmax(scores.float() * 1e30, offsets).isfinite().all()


def test_programs_equal_eager() -> None:
    def inputs(lengths: list[int]) -> tuple[Tensor, ...]:
        return randn(sum(lengths), 2), offsets_of(lengths)

    traces(segment_softmax, inputs)
    compiles_and_exports(segment_softmax, inputs)


def test_wrong_arguments_are_named() -> None:
    scores = randn(5, 2)
    with pytest.raises(ValueError, match=r"\(T, K\) or \(T,\), not torch.float64 \(1, 5, 2\)"):
        segment_softmax(scores[None], offsets_of([5]))
    with pytest.raises(ValueError, match="end at the number of tokens, 5, not at 0 and 4"):
        segment_softmax(scores, offsets_of([4]))
    with pytest.raises(ValueError, match="5, not at 1 and 5"):
        segment_softmax(scores, torch.tensor([1, 5]))
    with pytest.raises(ValueError, match="never decrease"):
        segment_softmax(scores, torch.tensor([0, 4, 3, 5]))
    with pytest.raises(ValueError, match=r"whole numbers \(S\+1,\).*float32 \(2,\)"):
        segment_softmax(scores, torch.tensor([0.0, 5.0]))
