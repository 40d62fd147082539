"""From scores to likelihood ratios: monotone, finite, and worth what they say."""

import numpy as np
import pytest

from apps.ahan.llr import KINDS, Llr, cllr, cllr_held_out, fit


def scores(apart: float = 2.0, genuine: int = 300, impostors: int = 900) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return np.concatenate([generator.normal(apart, 1, genuine), generator.normal(0, 1, impostors)]), np.arange(
        genuine + impostors
    ) < genuine


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_score_never_has_a_lower_ratio_and_every_ratio_is_finite(kind) -> None:
    for x, y in (scores(), scores(50), scores(-3), (np.zeros(4), np.arange(4) < 2), (np.array([1.0, 0.0]), np.array([True, False]))):
        llr = fit(x, y, kind)(np.linspace(-100, 100, 500))
        assert np.isfinite(llr).all()
        assert (np.diff(llr) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_normal_distributions_the_ratio_is_known(kind) -> None:
    x, y = scores(2, 20_000, 20_000)
    at = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(fit(x, y, kind)(at), 2 * at - 2, atol=0.35)


@pytest.mark.parametrize("kind", KINDS)
def test_the_ratio_does_not_depend_on_how_many_pairs_of_each_kind_there_are(kind) -> None:
    x, y = scores()
    more_x, more_y = np.concatenate([x, *[x[~y]] * 4]), np.concatenate([y, *[y[~y]] * 4])
    np.testing.assert_allclose(fit(more_x, more_y, kind)(x), fit(x, y, kind)(x), atol=0.05 if kind == "logistic" else 2)


def test_cllr_is_one_bit_where_scores_tell_nothing_and_none_where_they_tell_all() -> None:
    same = np.arange(10) < 5
    assert cllr(np.zeros(10), same) == pytest.approx(1)
    assert cllr(np.where(same, 100, -100), same) == pytest.approx(0)
    assert cllr(np.where(same, -3, 3), same) > 1
    x, y = scores()
    assert cllr(fit(x, y, "pav")(x), y) <= cllr(fit(x, y, "logistic")(x), y) < 1


def test_pairs_are_judged_by_maps_of_other_families() -> None:
    x, y = scores(0.0, 200, 200)
    family = np.arange(400)[:, None] % 20 * np.ones((1, 2), int)
    assert cllr_held_out(x, y, family, "pav") > cllr(fit(x, y, "pav")(x), y)
    assert np.isnan(cllr_held_out(x, y, family % 5, "pav"))


def test_a_map_that_falls_or_is_no_map_is_refused() -> None:
    for score, llr in (((0, 1), (1, 0)), ((1, 0), (0, 1)), ((0,), (0,)), ((0, 1), (0, float("nan"))), ((0, 1), (0, 1, 2))):
        with pytest.raises(ValueError, match="map"):
            Llr("pav", score, llr)
    with pytest.raises(ValueError, match="map"):
        Llr("other", (0, 1), (0, 1))  # pyright: ignore[reportArgumentType]
