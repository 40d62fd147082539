"""Errors of verification: what they are on scores that one can count, and what must not change them."""

import math

import numpy as np
import pytest

from apps.ahan.metrics import (
    accuracy_folds,
    auc,
    best_threshold,
    cluster_bootstrap,
    curve,
    d_prime,
    det_points,
    eer,
    roc,
    tar_at_far,
)
from datamodules.ahan.family_folds import family_folds

APART = (np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))


def mixed(n: int = 400, seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    same = generator.random(n) < 0.4
    scores = generator.normal(same * 1.2, 1.0)
    return (scores.round(1) if ties else scores), same


def counted_rates(scores: np.ndarray, same: np.ndarray, t: float) -> tuple[float, float]:
    return float((scores[~same] >= t).mean()), float((scores[same] < t).mean())


@pytest.mark.parametrize("ties", [False, True])
def test_both_errors_are_counted_at_every_threshold(ties: bool) -> None:
    scores, same = mixed(60, ties=ties)
    c = curve(scores, same)
    for t, far, frr in zip(c.threshold, c.far, c.frr, strict=True):
        assert (far, frr) == pytest.approx(counted_rates(scores, same, t))
    assert (c.far[0], c.frr[0], c.far[-1], c.frr[-1]) == (1, 0, 0, 1)


def test_the_equal_error_rate_is_0_on_separated_scores_and_a_half_on_constant_ones() -> None:
    assert eer(*APART) == 0
    assert eer(np.ones(7), np.array([0, 1, 0, 1, 1, 0, 0])) == 0.5
    assert eer(-APART[0], APART[1]) == 1


@pytest.mark.parametrize("ties", [False, True])
def test_no_strictly_increasing_map_of_the_scores_changes_a_rate(ties: bool) -> None:
    scores, same = mixed(ties=ties)
    for bend in (np.exp, np.arctan, lambda s: 3 * s - 7, lambda s: s**3):
        bent = bend(scores)
        assert eer(bent, same) == pytest.approx(eer(scores, same))
        assert auc(bent, same) == pytest.approx(auc(scores, same))
        assert tar_at_far(bent, same, 0.1).value == pytest.approx(tar_at_far(scores, same, 0.1).value)
        assert best_threshold(bent, same)[1] == pytest.approx(best_threshold(scores, same)[1])


@pytest.mark.parametrize("ties", [False, True])
def test_swapped_labels_and_negated_scores_keep_the_equal_error_rate(ties: bool) -> None:
    scores, same = mixed(ties=ties)
    assert eer(-scores, ~same) == pytest.approx(eer(scores, same))


def test_the_true_accept_rate_never_falls_as_more_false_accepts_are_allowed() -> None:
    scores, same = mixed()
    values = [tar_at_far(scores, same, far).value for far in np.linspace(0.01, 1, 60)]
    assert (np.diff(values) >= 0).all()
    assert values[-1] == 1


def test_a_threshold_lets_in_no_more_impostors_than_was_asked_and_the_one_below_would() -> None:
    scores, same = mixed()
    t = tar_at_far(scores, same, 0.05).threshold
    assert counted_rates(scores, same, t)[0] <= 0.05
    assert counted_rates(scores, same, scores[scores < t].max())[0] > 0.05


def test_a_rate_that_the_impostors_cannot_support_is_nan_and_says_how_many_would() -> None:
    scores, same = np.arange(30.0), np.arange(30) >= 20  # 20 impostors
    assert tar_at_far(scores, same, 1 / 20).value == 1
    none = tar_at_far(scores, same, 1 / 21)
    assert math.isnan(none.value)
    assert ">= 21 impostors" in none.reason
    assert "200 would be enough" in tar_at_far(scores, same, 1 / 20).reason
    assert not tar_at_far(scores, same, 0.5).reason


def test_the_area_is_the_chance_that_a_genuine_pair_scores_higher() -> None:
    scores, same = mixed(80, ties=True)
    g, i = scores[same][:, None], scores[~same]
    assert auc(scores, same) == pytest.approx(((g > i) + 0.5 * (g == i)).mean())


def test_weights_are_repetitions() -> None:
    scores, same = mixed(50, ties=True)
    times = np.random.default_rng(1).integers(0, 4, 50)
    again, labels = np.repeat(scores, times), np.repeat(same, times)
    drawn = times > 0
    for metric in (eer, auc, lambda s, y, w=None: tar_at_far(s, y, 0.2, w).value, lambda s, y, w=None: best_threshold(s, y, w)[1]):
        assert metric(scores[drawn], same[drawn], times[drawn]) == pytest.approx(metric(again, labels))


def test_curves_to_draw_are_finite_and_rise() -> None:
    far, tar = roc(*APART)
    assert (np.diff(far) >= 0).all()
    assert (np.diff(tar) >= 0).all()
    x, y = det_points(*APART)
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    assert x.max() == pytest.approx(0.6744898)  # probit of 3/4 = 1 - 1/(2n), n = 2
    assert d_prime(*APART) == pytest.approx(0.7 / 0.05)


def test_the_best_threshold_lies_in_the_middle_of_its_interval() -> None:
    assert best_threshold(*APART) == pytest.approx((0.5, 1.0))
    scores = np.array([0.1, 0.2, 0.3, 0.4])
    assert best_threshold(scores, np.array([1, 1, 1, 0]))[0] <= 0.1  # accept all
    assert best_threshold(scores, np.array([1, 0, 0, 0]))[0] > 0.4  # refuse all


def test_balanced_accuracy_gives_both_kinds_the_same_say() -> None:
    scores, same = np.array([0.5] + [0.4, 0.6] * 10), np.array([1] + [0, 0] * 10)
    assert best_threshold(scores, same)[1] == pytest.approx(20 / 21)  # refuses everybody
    assert best_threshold(scores, same, balanced=True)[1] == pytest.approx(0.75)


def test_a_folds_threshold_is_chosen_without_it() -> None:
    scores, same = mixed(300)
    fold = np.arange(300) % 10
    whole = accuracy_folds(scores, same, fold)
    hidden = scores.copy()
    hidden[fold == 3] = 99.0
    assert accuracy_folds(hidden, same, fold).thresholds[3] == whole.thresholds[3]
    assert whole.mean == pytest.approx(whole.folds.mean())
    assert whole.standard_error == pytest.approx(whole.folds.std(ddof=1) / math.sqrt(10))
    assert accuracy_folds(*(np.tile(part, 5) for part in APART), np.repeat(np.arange(5), 4)).mean == 1


def test_folds_never_share_a_family() -> None:
    families = np.random.default_rng(0).integers(0, 40, (500, 2))
    fold = family_folds(families, 10, seed=3)
    homes: dict[int, set[int]] = {}
    for pair, where in zip(families, fold, strict=True):
        if where >= 0:
            for family in pair:
                homes.setdefault(int(family), set()).add(int(where))
    assert all(len(where) == 1 for where in homes.values())
    assert (fold[families[:, 0] == families[:, 1]] >= 0).all()
    assert (fold == -1).any()
    assert np.array_equal(fold, family_folds(families, 10, seed=3))
    with pytest.raises(ValueError, match="10 folds need as many families; there are 4"):
        family_folds(families[:2], 10)


def test_one_family_has_no_interval() -> None:
    with pytest.raises(ValueError, match="two families or more"):
        cluster_bootstrap(eer, *APART, np.zeros((4, 2), int))


def test_an_interval_is_fixed_by_its_seed_and_wider_where_pairs_depend() -> None:
    generator = np.random.default_rng(0)
    own = np.repeat(generator.normal(0, 1, 30), 20)  # a family's pairs score alike
    same = np.tile(np.arange(20) < 10, 30)
    scores, family = own + same * 1.0 + generator.normal(0, 0.1, 600), np.repeat(np.arange(30), 20)[:, None].repeat(2, 1)
    one, again = (cluster_bootstrap(eer, scores, same, family, draws=100, seed=5) for _ in range(2))
    assert one == again
    assert one.low <= one.value <= one.high
    naive = cluster_bootstrap(eer, scores, same, np.arange(600)[:, None].repeat(2, 1), draws=100)
    assert one.high - one.low > naive.high - naive.low


def test_pairs_between_families_weigh_the_product() -> None:
    seen = []

    def watch(scores: np.ndarray, same: np.ndarray, weight: np.ndarray) -> float:
        seen.append(dict(zip(scores.tolist(), weight.tolist(), strict=True)))
        return 0.0

    scores, family = np.arange(4.0), np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
    cluster_bootstrap(watch, scores, np.array([1, 1, 0, 0]), family, draws=50)
    assert any(len(weights) == 4 for weights in seen)
    for weights in seen[:-1]:
        assert weights[2.0] == weights[3.0] == weights[0.0] * weights[1.0]


@pytest.mark.parametrize(
    ("scores", "same", "said"),
    [
        ([0.1, np.nan], [0, 1], "score nan of pair 1 is no number"),
        ([0.1, 0.2], [1, 1], "there are 2 and 0"),
        ([0.1], [0, 1], "one number a pair"),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(scores: list[float], same: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        eer(np.array(scores), np.array(same))
