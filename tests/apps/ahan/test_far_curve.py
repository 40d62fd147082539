"""The rate of false accepts at a score: as it was counted, and never too low."""

import numpy as np
import pytest

from apps.ahan.far_curve import FarCurve, far_curve

SCORES = np.random.default_rng(0).normal(size=5000).round(3)


def test_at_every_score_it_is_what_was_counted_or_a_little_more() -> None:
    found = far_curve(SCORES)
    assert len(found.score) <= 66
    for score in np.linspace(-4, 4, 401):
        counted = float((score <= SCORES).mean())
        assert counted <= found(score)
        if counted > 0.01:
            assert found(score) <= 1.25 * counted


def test_of_few_impostors_it_is_what_was_counted_between_their_scores_too() -> None:
    few = np.array([0.1, 0.2, 0.4, 0.8])
    found = far_curve(few)
    assert [found(score) for score in (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)] == [1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]


def test_above_every_impostor_it_is_not_zero_and_below_all_it_is_one() -> None:
    found = far_curve(SCORES)
    assert found(9.0) == np.isclose(SCORES, SCORES.max()).mean()
    assert (found(SCORES.min()), found(-9.0)) == (1.0, 1.0)
    assert far_curve(np.array([0.5]))(0.6) == 1.0
    assert far_curve(np.array([0.5, 0.5, 0.2]))(0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("score", "far"), [((), ()), ((0.0,), (1.0, 0.5)), ((0.0, 0.0), (1.0, 0.5)), ((0.0, 1.0), (0.5, 1.0)), ((0.0,), (0.0,))]
)
def test_a_file_of_anything_else_is_refused(score: tuple[float, ...], far: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"rates|scores"):
        FarCurve(score, far)
