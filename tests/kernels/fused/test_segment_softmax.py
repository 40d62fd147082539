import pytest
import torch

from kernels.segment_softmax import segment_softmax
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.operations import strictly
from tests.kernels.programs import LENGTHS, offsets_of, randn

# of each block of columns, and of tiles: shorter than one, exactly one, one more, several
RAGGED = [*LENGTHS, [4], [8, 5], [1, 0, 17, 3]]


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("lengths", RAGGED)
@pytest.mark.parametrize("columns", [1, 3])
def test_it_is_the_reference_forward_and_backward(lengths: list[int], columns: int, device: str, dtype: torch.dtype) -> None:
    check_fused(segment_softmax, (randn(sum(lengths), columns), offsets_of(lengths)), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), [*ON, *ROUNDED[:1]])
def test_scores_that_are_all_low_overflow_nothing(device: str, dtype: torch.dtype) -> None:
    """Above them lies even the 0 that stands for the greatest score of no score at all: of a hidden tile, or of lanes without one."""
    shift = -1000 if dtype == torch.float64 else -100  # exp(-shift) is infinite
    scores = randn(23, 2) + shift
    scores[6:14, 0] = scores[14:18] = -torch.inf  # two whole tiles of the long segment, and a segment with none
    check_fused(segment_softmax, (scores, offsets_of([1, 17, 0, 4, 1])), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
def test_other_dtypes_and_short_offsets(device: str, dtype: torch.dtype) -> None:
    check_fused(segment_softmax, (randn(21, 3), offsets_of([1, 0, 17, 3], torch.int32)), device, dtype)
    check_fused(segment_softmax, (randn(21), offsets_of([21], torch.int32)), device, dtype)


@needs_interpreter
def test_hidden_tokens_and_hidden_segments_get_no_weight_and_no_gradient() -> None:
    scores, offsets = randn(11, 2), offsets_of([6, 5])
    scores[1] = scores[6:, 0] = -torch.inf
    scores.requires_grad_()
    with strictly("triton"):
        weights = segment_softmax(scores, offsets)
    assert (weights[1] == 0).all()
    assert (weights[6:, 0] == 0).all()
    (grad,) = torch.autograd.grad(weights.square().sum(), scores)
    assert (grad[1] == 0).all()
    assert (grad[6:, 0] == 0).all()
    torch.testing.assert_close(weights.detach(), segment_softmax(scores.detach(), offsets))


@needs_interpreter
def test_nan_stays_in_its_own_segment_and_strides_are_followed() -> None:
    scores, offsets = randn(2, 11).t(), offsets_of([6, 5])
    with strictly("triton"):
        clean = segment_softmax(scores, offsets)
        scores[7, 0] = torch.nan
        poisoned = segment_softmax(scores, offsets)
    assert poisoned[6:, 0].isnan().all()
    assert torch.equal(poisoned[:6], clean[:6])
    assert torch.equal(poisoned[:, 1], clean[:, 1])


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    with strictly("triton"):
        assert torch.autograd.gradgradcheck(lambda x: segment_softmax(x, offsets_of([2, 3])), randn(5, 1).requires_grad_())
