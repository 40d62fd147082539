"""One of many: ranks, and who gets a name."""

import itertools

import numpy as np
import pytest

from apps.ahan.judged import one_of_many
from apps.ahan.metrics import cmc, open_set

SCORES = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.1], [0.2, 0.1, 0.8]])


def test_a_rank_counts_whoever_comes_as_near_and_the_last_rank_holds_all() -> None:
    np.testing.assert_allclose(cmc(SCORES, np.array([0, 0, 0, 2])), [0.5, 1, 1])
    np.testing.assert_allclose(cmc(np.zeros((4, 3)), np.array([0, 1, 2, 0])), [0, 0, 1])
    random = np.random.default_rng(0).random((50, 8))
    found = cmc(random, np.random.default_rng(1).integers(8, size=50))
    assert (np.diff(found) >= 0).all()
    assert found[-1] == 1


def test_a_higher_threshold_names_fewer_strangers_and_fewer_of_the_enrolled() -> None:
    own = np.array([0, -1, 0, 2])
    assert open_set(SCORES, own, 0.6)[:2] == (1.0, pytest.approx(1 / 3))
    assert open_set(SCORES, own, 0.61)[:2] == (0.0, pytest.approx(1 / 3))
    scores = np.random.default_rng(0).random((200, 20))
    who = np.random.default_rng(1).integers(-1, 20, size=200)
    each = [open_set(scores, who, at) for at in np.linspace(0, 1.1, 12)]
    assert all(a.fpir >= b.fpir and a.fnir <= b.fnir for a, b in itertools.pairwise(each))
    assert (each[-1].fpir, each[-1].fnir) == (0, 1)


def test_what_is_no_gallery_or_no_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="closed set"):
        cmc(SCORES, np.array([0, -1, 0, 2]))
    for own in (np.full(4, -1), np.zeros(4, int)):
        with pytest.raises(ValueError, match="strangers"):
            open_set(SCORES, own, 0.5)
    with pytest.raises(ValueError, match="finite"):
        cmc(SCORES * np.nan, np.zeros(4, int))


def test_who_is_enrolled_asks_with_images_of_another_visit_and_whole_families_are_strangers() -> None:
    person = np.repeat(np.arange(8), 4)
    visit = np.tile([0, 0, 1, 1], 8)
    vectors = np.eye(8)[person] + 0.01 * np.eye(2)[visit] @ np.ones((2, 8))
    numbers = np.stack([person, person // 2, visit, np.arange(32)], 1)
    found = one_of_many(vectors, numbers, seed=0)
    assert found is not None
    scores, own = found
    assert scores.shape == (16 + 8, 4)
    assert (own < 0).sum() == 16
    np.testing.assert_array_equal(scores[own >= 0].argmax(1), own[own >= 0])
    assert one_of_many(vectors[:8], numbers[:8], seed=0) is None
    assert one_of_many(vectors[::4], numbers[::4], seed=0) is None
