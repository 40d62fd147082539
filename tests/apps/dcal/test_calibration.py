import pytest
import torch
from torch.nn.functional import cross_entropy

from apps.base.calibration import calibration_error
from apps.dcal.calibration import fit_temperature, mix, threshold
from apps.dcal.metrics import Calibration


def scores(n: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, n, 5, generator=generator)
    return logits, torch.multinomial(logits[0].softmax(-1), 1, generator=generator).squeeze(1)


@pytest.mark.parametrize("factor", [0.25, 1.0, 6.0])
def test_logits_that_are_too_bold_by_a_factor_get_that_temperature(factor: float) -> None:
    logits, labels = scores()
    honest = fit_temperature(logits, labels)
    assert fit_temperature(logits * factor, labels) == pytest.approx(honest * factor, rel=1e-4)
    best = cross_entropy(logits[0] / honest, labels)
    for other in (0.9 * honest, 1.1 * honest):
        assert cross_entropy(logits[0] / other, labels) > best


def test_branches_are_mixed_as_probabilities() -> None:
    one, two = torch.randn(2, 1, 3, 4).unbind(0)
    wanted = ((one / 2).softmax(-1)[0] + two.softmax(-1)[0]) / 2
    torch.testing.assert_close(mix({"sa": one, "glca": two}, {"sa": 2.0}), wanted)
    blocks = torch.cat([one, two])
    torch.testing.assert_close(mix({"glca": blocks}, {}), blocks.softmax(-1).mean(0))


def test_the_threshold_refuses_the_share_that_was_asked_for() -> None:
    probs = torch.softmax(3 * torch.randn(1000, 6, generator=torch.Generator().manual_seed(1)), -1)
    bar = threshold(probs, 0.05)
    assert (probs.amax(-1) < bar).float().mean().item() == pytest.approx(0.05, abs=0.002)


def test_each_bin_of_the_calibration_error_holds_as_many_pictures() -> None:
    """60 pictures in 15 bins of 4; all but 4 of them are surer than 0.99, where bins of equal width would see one bin."""
    sure = torch.cat([torch.full((4,), 0.6), torch.linspace(0.991, 0.999, 56)]).double()
    right = torch.ones(60, dtype=torch.bool)
    right[:4] = False
    wrong = right.clone()
    wrong[4:8] = False
    honest = (1 - sure[4:]).sum() / 60
    torch.testing.assert_close(calibration_error(sure, right), honest + 0.6 * 4 / 60)
    torch.testing.assert_close(calibration_error(sure, wrong) - calibration_error(sure, right), (2 * sure[4:8] - 1).sum() / 60)
    assert calibration_error(sure[:0], right[:0]) == 0


def test_confidences_that_are_drawn_right_as_often_as_they_say_have_a_small_error_and_bold_ones_a_large() -> None:
    logits, labels = scores(4000)
    probs = logits[0].softmax(-1)
    assert calibration_error(probs.amax(-1), probs.argmax(-1) == labels) < 0.05
    bold = (4 * logits[0]).softmax(-1)
    assert calibration_error(bold.amax(-1), bold.argmax(-1) == labels) > 0.2


def test_batches_make_no_difference_to_the_calibration_error() -> None:
    logits, labels = scores(100)
    probs, parts = logits[0].softmax(-1), Calibration()
    for start in range(0, 100, 7):
        parts.update(probs[start : start + 7], labels[start : start + 7])
    torch.testing.assert_close(parts.compute(), calibration_error(probs.amax(-1), probs.argmax(-1) == labels).float())


def test_a_perfect_validation_does_not_make_the_answers_certain() -> None:
    labels = torch.arange(4).repeat(25)
    logits = 5.0 * torch.nn.functional.one_hot(labels, 4).double()[None]
    sure = (logits[0] / fit_temperature(logits, labels)).softmax(-1).amax(-1)
    assert sure.mean().item() == pytest.approx(101 / 102, abs=1e-6)
