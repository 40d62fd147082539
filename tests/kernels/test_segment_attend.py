import pytest
import torch
from torch import Tensor

from kernels.segment_attend import segment_attend
from kernels.segment_pool import segment_pool
from kernels.segment_softmax import segment_softmax
from tests.kernels.programs import LENGTHS, compiles_and_exports, offsets_of, randn, traces


def inputs(lengths: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    return randn(sum(lengths), 3), randn(sum(lengths), 2, seed=1), offsets_of(lengths)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_it_is_the_softmax_mean_of_each_segment_alone(lengths: list[int]) -> None:
    x, scores, offsets = inputs(lengths)
    z, lse = segment_attend(x, scores, offsets)
    parts = list(zip(x.split(lengths), scores.split(lengths), strict=True))
    torch.testing.assert_close(z, torch.stack([s.softmax(0).T @ part for part, s in parts]))
    torch.testing.assert_close(lse, torch.stack([s.logsumexp(0) for _, s in parts]))
    torch.testing.assert_close(z, segment_pool(x, segment_softmax(scores, offsets), offsets))
    assert torch.equal(segment_attend(x, scores, offsets.int())[0], z)


@pytest.mark.parametrize("lengths", [[3, 1, 4], [5], [1, 1]])
def test_gradients_are_right_in_float64(lengths: list[int]) -> None:
    *leaves, offsets = inputs(lengths)
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(lambda x, s: segment_attend(x, s, offsets), leaves)
    assert torch.autograd.gradgradcheck(lambda x, s: segment_attend(x, s, offsets), leaves)


def test_segments_that_show_nothing_give_zeros_and_no_gradient() -> None:
    x, scores, offsets = inputs([3, 0, 2])
    scores[[1, 3, 4]] = -torch.inf
    x.requires_grad_()
    scores.requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        z, lse = segment_attend(x, scores, offsets)
        (z.square().sum() + lse[0].sum()).backward()
    assert (z[1:] == 0).all()
    assert (lse[1:] == -torch.inf).all()
    torch.testing.assert_close(z[0], scores[[0, 2]].softmax(0).T @ x[[0, 2]])
    for grad in (x.grad, scores.grad):
        assert grad is not None
        assert grad.isfinite().all()
        assert (grad[[1, 3, 4]] == 0).all()
        assert (grad[[0, 2]] != 0).all()


def test_nan_stays_in_its_own_segment_forward_and_backward() -> None:
    results = []
    for poison in (0.0, torch.nan):
        x, scores, offsets = inputs([3, 2])
        x[3:] = scores[4] = poison
        leaves = [x.requires_grad_(), scores.requires_grad_()]
        z, _ = segment_attend(x, scores, offsets)
        results.append([z[0], *(grad[:3] for grad in torch.autograd.grad(z.square().sum(), leaves))])
    for clean, poisoned in zip(*results, strict=True):
        assert torch.equal(clean, poisoned)


def test_everything_is_summed_in_float32_for_half_inputs_under_autocast() -> None:
    x, scores = randn(4000, 3).bfloat16(), randn(4000, 2, seed=1).bfloat16()
    wanted, wanted_lse = segment_attend(x.double(), scores.double(), offsets_of([1000, 3000]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, lse = segment_attend(x, scores, offsets_of([1000, 3000]))
    assert (z.dtype, lse.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(z.double(), wanted, rtol=4e-3, atol=1e-5)
    torch.testing.assert_close(lse.double(), wanted_lse, rtol=1e-5, atol=1e-5)
    assert all(part.isfinite().all() for part in segment_attend(x, scores.float() * 1e30, offsets_of([1000, 3000])))


def test_programs_equal_eager() -> None:
    traces(segment_attend, inputs)
    compiles_and_exports(segment_attend, inputs)


def test_wrong_arguments_are_named() -> None:
    x, scores, offsets = inputs([2, 3])
    with pytest.raises(ValueError, match=r"\(5, 3\) and \(4, 2\)"):
        segment_attend(x, scores[:4], offsets)
    with pytest.raises(ValueError, match=r"segment_attend: offsets .* tokens, 5, not at 0 and 4"):
        segment_attend(x, scores, offsets_of([2, 2]))
