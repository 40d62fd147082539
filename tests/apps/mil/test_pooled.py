"""The pooled AUC of a cross-validation: against its definition, and what its interval is of."""

import numpy as np
import pytest

from apps.mil.pooled import _weighted_auc, pooled_auc


def slow(scores: np.ndarray, positive: np.ndarray, times: np.ndarray) -> float:
    """Every bag written down as often as it was drawn, every pair compared."""
    bags = [(score, own) for score, own, count in zip(scores, positive, times, strict=True) for _ in range(int(count))]
    wins = [float(a > b) + 0.5 * float(a == b) for a, yes in bags if yes for b, other in bags if not other]
    return sum(wins) / len(wins) if wins else float("nan")


def answers(bags: int = 40, seed: int = 0, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(bags) % 2
    score = np.round(1 / (1 + np.exp(-(rng.normal(size=bags) + gain * labels))), 1)  # rounded: with ties
    return np.stack([1 - score, score], 1)[None], labels


@pytest.mark.parametrize("seed", range(5))
def test_the_weighted_auc_is_that_of_bags_written_down_as_often_as_drawn(seed: int) -> None:
    probs, labels = answers(15, seed)
    times = np.random.default_rng(seed).integers(0, 4, (20, 15)).astype(float)
    times[0], times[1] = 0, labels  # nobody, and one class alone
    found = _weighted_auc(probs[0, :, 1], labels == 1, times)
    assert found == pytest.approx([slow(probs[0, :, 1], labels == 1, row) for row in times], nan_ok=True)


def test_patients_are_drawn_with_all_of_their_bags() -> None:
    """The same bag again under the same patient teaches nothing; as another patient it would."""
    probs, labels = answers()
    patients = np.array([f"p{i}" for i in range(len(labels))])
    once = pooled_auc(probs, labels, patients)
    twice, double, owner = np.concatenate([probs, probs], 1), np.tile(labels, 2), np.tile(patients, 2)
    assert pooled_auc(twice, double, owner) == pytest.approx(once)
    others = pooled_auc(twice, double, np.array([f"q{i}" for i in range(len(double))]))
    assert others.auc == pytest.approx(once.auc)
    assert others.high - others.low < 0.85 * (once.high - once.low)


def test_the_figure_is_the_mean_over_repeats_and_a_bag_that_one_left_out_is_left_out_there() -> None:
    (one, labels), (other, _) = answers(), answers(seed=1)
    patients = np.arange(len(labels)).astype(str)
    both = np.concatenate([one, other])
    means = [pooled_auc(probs, labels, patients, draws=2).auc for probs in (one, other)]
    assert pooled_auc(both, labels, patients, draws=2).auc == pytest.approx(sum(means) / 2)
    both[1, 20:] = np.nan
    half = pooled_auc(other[:, :20], labels[:20], patients[:20], draws=2).auc
    assert pooled_auc(both, labels, patients, draws=2).auc == pytest.approx((means[0] + half) / 2)


def test_the_interval_is_a_function_of_its_seed_and_holds_the_figure() -> None:
    probs, labels = answers()
    patients = np.arange(len(labels)).astype(str)
    found = pooled_auc(probs, labels, patients)
    assert found == pooled_auc(probs, labels, patients)
    assert found != pooled_auc(probs, labels, patients, seed=1)
    assert found.low < found.auc < found.high
    assert found.draws == 2000


def test_draws_without_one_of_two_classes_are_left_out_and_counted() -> None:
    probs, labels = answers(4)
    found = pooled_auc(probs, labels, np.array(["a", "b", "c", "d"]))
    assert 0 < found.draws < 2000
    alone = pooled_auc(probs, np.ones(4, int), np.array(["a", "b", "c", "d"]))
    assert alone.draws == 0
    assert np.isnan([alone.auc, alone.low, alone.high]).all()


def test_of_three_classes_it_is_the_mean_of_each_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    labels, probs = np.arange(30) % 3, rng.dirichlet(np.ones(3), 30)
    each = [slow(probs[:, c], labels == c, np.ones(30)) for c in range(3)]
    assert pooled_auc(probs[None], labels, labels.astype(str), draws=1).auc == pytest.approx(np.mean(each))
    missing = np.where(labels == 2, 0, labels)
    two = [slow(probs[:, c], missing == c, np.ones(30)) for c in range(2)]
    assert pooled_auc(probs[None], missing, labels.astype(str), draws=1).auc == pytest.approx(np.mean(two))
