import pytest
import torch

from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from tests.kernels.fused.checks import ON, ROUNDED, check_fused, needs_interpreter
from tests.kernels.operations import strictly
from tests.kernels.programs import LENGTHS, offsets_of, randn

# Few tokens a segment go one way, many another.
RAGGED = [*LENGTHS, [4], [8, 5], [1, 0, 17, 3]]


@pytest.mark.parametrize(("device", "dtype"), ON)
@pytest.mark.parametrize("lengths", RAGGED)
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("operation", [segment_attend, segment_pool], ids=["attend", "pool"])
def test_it_is_the_reference_forward_and_backward(operation, lengths: list[int], columns: int, device: str, dtype: torch.dtype) -> None:
    count = sum(lengths)
    check_fused(operation, (randn(count, 5), randn(count, columns, seed=1), offsets_of(lengths)), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ON)
def test_more_columns_than_are_taken_at_once(device: str, dtype: torch.dtype) -> None:
    for operation in (segment_attend, segment_pool):
        check_fused(operation, (randn(7, 3), randn(7, 19, seed=1), offsets_of([5, 2])), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), [*ON, *ROUNDED[:1]])
@pytest.mark.parametrize("lengths", [[1, 17, 0, 4, 1], [3, 5, 0, 4, 1, 3, 2, 5]], ids=["tiles", "short"])
def test_scores_that_are_all_low_overflow_nothing(lengths: list[int], device: str, dtype: torch.dtype) -> None:
    """Above them lies even the 0 that stands for the greatest score of no score at all: of a hidden tile, or of lanes without one."""
    shift = -1000 if dtype == torch.float64 else -100  # exp(-shift) is infinite
    scores = randn(23, 2, seed=1) + shift
    scores[6:14, 0] = scores[3] = -torch.inf
    check_fused(segment_attend, (randn(23, 5), scores, offsets_of(lengths)), device, dtype)


@pytest.mark.parametrize(("device", "dtype"), ROUNDED)
@pytest.mark.parametrize("operation", [segment_attend, segment_pool], ids=["attend", "pool"])
def test_other_dtypes_and_short_offsets(operation, device: str, dtype: torch.dtype) -> None:
    for lengths in ([1, 0, 17, 3], [1, 2, 0, 3]):
        count = sum(lengths)
        check_fused(operation, (randn(count, 5), randn(count, 2, seed=1), offsets_of(lengths, torch.int32)), device, dtype)


@needs_interpreter
@pytest.mark.parametrize("lengths", [[6, 5], [2, 3, 1, 5]])
def test_hidden_tokens_and_hidden_segments_get_nothing(lengths: list[int]) -> None:
    x, scores, offsets = randn(11, 3), randn(11, 2, seed=1), offsets_of(lengths)
    scores[1] = scores[lengths[0] :, 0] = -torch.inf
    leaves = [x.requires_grad_(), scores.requires_grad_()]
    with strictly("triton"):
        z, lse = segment_attend(x, scores, offsets)
        dx, ds = torch.autograd.grad(z.square().sum() + lse[:, 1].sum(), leaves)
    assert (z[1:, 0] == 0).all()
    assert (lse[1:, 0] == -torch.inf).all()
    assert dx.isfinite().all()
    assert (ds[1] == 0).all()
    assert (ds[lengths[0] :, 0] == 0).all()


@needs_interpreter
@pytest.mark.parametrize("lengths", [[6, 5], [2, 3, 1, 5]])
def test_nan_stays_in_its_own_segment(lengths: list[int]) -> None:
    results = []
    for poison in (0.0, torch.nan):
        x, scores, offsets = randn(11, 3), randn(11, 2, seed=1), offsets_of(lengths)
        x[lengths[0] :] = scores[10] = poison
        leaves = [x.requires_grad_(), scores.requires_grad_()]
        with strictly("triton"):
            z, _ = segment_attend(x, scores, offsets)
            results.append([z[0], *(grad[: lengths[0]] for grad in torch.autograd.grad(z.square().sum(), leaves))])
    for clean, poisoned in zip(*results, strict=True):
        assert torch.equal(clean, poisoned)


@needs_interpreter
def test_strides_are_followed_and_frozen_tokens_get_no_gradient() -> None:
    x, scores, offsets = randn(5, 11).t(), randn(2, 11, seed=1).t().requires_grad_(), offsets_of([6, 5])
    with strictly("triton"):
        z, lse = segment_attend(x, scores, offsets)
    wanted = segment_attend(x.contiguous(), scores.contiguous(), offsets)
    torch.testing.assert_close((z, lse), wanted)
    (got,) = torch.autograd.grad(z.square().sum(), scores)
    torch.testing.assert_close(got, torch.autograd.grad(wanted[0].square().sum(), scores)[0])


@needs_interpreter
def test_sums_follow_strides_as_well() -> None:
    x, weights = randn(5, 11).t(), randn(2, 11, seed=1).t()
    check_fused(lambda x, w: segment_pool(x, w, offsets_of([6, 5])), (x, weights), "cpu", torch.float64)


@needs_interpreter
def test_second_derivatives_come_from_the_reference() -> None:
    leaves = (randn(5, 2).requires_grad_(), randn(5, 1, seed=1).requires_grad_())
    for operation in (segment_attend, segment_pool):
        with strictly("triton"):
            assert torch.autograd.gradgradcheck(lambda x, s, run=operation: run(x, s, offsets_of([2, 3])), leaves)
