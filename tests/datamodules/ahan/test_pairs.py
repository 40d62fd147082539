import numpy as np
import pytest

from datamodules.ahan.pairs import GENUINE, OTHER, TWIN, draw_pairs, hard_twins
from datamodules.errors import DataError

PERSON = np.repeat(np.arange(8), 4)
FAMILY, VISIT = PERSON // 2, np.tile([0, 0, 1, 1], 8)


def test_genuine_and_twin_pairs_are_all_those_of_two_visits():
    pairs = draw_pairs(PERSON, FAMILY, VISIT)
    assert {kind: int((pairs.kind == kind).sum()) for kind in (GENUINE, TWIN, OTHER)} == {GENUINE: 32, TWIN: 32, OTHER: 32}
    a, b = pairs.of(GENUINE, TWIN)[:2]
    assert (VISIT[a] != VISIT[b]).all()
    assert (FAMILY[a] == FAMILY[b]).all()
    assert ((PERSON[pairs.first] == PERSON[pairs.second]) == pairs.same).all()
    other = pairs.of(OTHER)
    assert (FAMILY[other.first] != FAMILY[other.second]).all()


@pytest.mark.parametrize("general", [0, 10, 384, 9999])
def test_general_pairs_are_drawn_from_the_seed_and_none_comes_twice(general):
    one, other, third = (draw_pairs(PERSON, FAMILY, VISIT, seed, general).of(OTHER) for seed in (0, 0, 1))
    assert len(one.first) == min(general, 384)
    assert np.array_equal(one.first, other.first)
    assert general == 0 or not np.array_equal(one.first, third.first)
    assert len({tuple(sorted(pair)) for pair in zip(one.first.tolist(), one.second.tolist(), strict=True)}) == len(one.first)


def test_images_of_no_known_visit_are_paired_with_all():
    pairs = draw_pairs(PERSON, FAMILY, np.full(32, -1))
    assert len(pairs.of(GENUINE).first) == 8 * 6
    assert len(draw_pairs(PERSON, FAMILY, VISIT, same_visit=True).of(GENUINE).first) == 8 * 6


def test_hard_twins_are_the_families_that_score_highest():
    pairs = draw_pairs(PERSON, FAMILY, VISIT)
    hard = hard_twins(pairs, FAMILY[pairs.first] * 1.0, PERSON)
    assert set(FAMILY[hard.first].tolist()) == {3}
    assert set(hard.kind.tolist()) == {GENUINE, TWIN}
    with pytest.raises(DataError, match="scores"):
        hard_twins(pairs, np.zeros(3), PERSON)
    with pytest.raises(DataError, match="twins"):
        hard_twins(pairs.of(GENUINE), np.zeros(32), PERSON)
