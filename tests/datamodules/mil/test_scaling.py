"""Features on the scale that models take."""

import numpy as np
import pytest
import torch

from apps.mil.program import BagProgram
from datamodules.mil.bags import ArrayBags
from datamodules.mil.scaling import KNOTS, Deviations, Ranks, fit_deviations, fit_ranks, normal_scores, scaling_facts


def bags(x: np.ndarray, each: int = 50) -> ArrayBags:
    return ArrayBags(x.astype(np.float32), np.arange(0, len(x) + 1, each))


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32)


def test_ranks_see_which_value_is_larger_and_nothing_else(x: np.ndarray) -> None:
    """Any increasing function of a feature, of training and of what comes later, changes no score."""
    later = np.random.default_rng(1).standard_normal((100, 3)).astype(np.float32)
    plain, bent = fit_ranks(bags(x), range(40)), fit_ranks(bags(np.exp(3 * x)), range(40))
    assert np.array_equal(plain(later), bent(np.exp(3 * later).astype(np.float32)))


def test_ranks_of_training_are_like_normal_numbers_and_the_heaviest_tail_stays_in_bounds(x: np.ndarray) -> None:
    scaler = fit_ranks(bags(x**5), range(40))
    z = scaler(x**5)
    assert z.mean(0) == pytest.approx(0, abs=0.01)
    assert z.std(0) == pytest.approx(1, abs=0.02)
    ends = normal_scores()[[0, -1]]
    assert scaler(np.array([[-1e30] * 3, [1e30] * 3], np.float32)).tolist() == [[ends[0]] * 3, [ends[1]] * 3]


def test_scores_rise_and_are_the_same_on_both_sides() -> None:
    scores = normal_scores()
    assert len(scores) == 2 * KNOTS + 1
    assert (np.diff(scores[1:-1]) > 0).all()
    assert scores == pytest.approx(-scores[::-1])
    assert scores[KNOTS] == 0


def test_a_constant_feature_becomes_zero_and_ties_share_a_score() -> None:
    x = np.stack([np.full(300, 7.0), np.repeat([0.0, 0.0, 5.0], 100)], 1)
    z = fit_ranks(bags(x), range(6))(x.astype(np.float32))
    assert (z[:, 0] == 0).all()
    assert len(np.unique(z[:, 1])) == 2
    assert z[0, 1] < 0 < z[-1, 1]


def test_only_the_named_bags_are_looked_at(x: np.ndarray) -> None:
    other = np.concatenate([x[:1000], 100 + x[1000:]])
    for fit in (fit_ranks, fit_deviations):
        one, two = fit(bags(x), range(20)), fit(bags(other), range(20))
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("kind", [Deviations, Ranks])
def test_an_exported_program_prepares_to_the_same_bits(x: np.ndarray, kind: type) -> None:
    scaler = fit_deviations(bags(x**3), range(40), 2.0) if kind is Deviations else fit_ranks(bags(x**3), range(40))
    program = BagProgram(torch.nn.Identity(), {"features": 3, **scaling_facts(scaler)}, [])
    later = np.random.default_rng(1).standard_normal((500, 3)).astype(np.float32) ** 3
    assert np.array_equal(program.prepare(torch.from_numpy(later)).numpy(), scaler(later).astype(np.float32))
