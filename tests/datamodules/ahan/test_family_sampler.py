import math
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.ahan.family_sampler import FamilySampler
from datamodules.errors import DataError


def people(pairs, alone, images=4, group=0):
    """(person, family) of every image, shuffled."""
    homes = [f for f in range(pairs) for _ in range(2)] + [pairs + n for n in range(alone)] + [pairs + alone] * group
    person = np.repeat(np.arange(len(homes)), images)
    shuffle = np.random.default_rng(0).permutation(len(person))
    return person[shuffle], np.repeat(homes, images)[shuffle]


def groups_of(batch, person, family, images):
    """[(family, [persons])] in the batch's order."""
    who = [int(person[index]) for _, index in batch]
    assert all(len(set(who[at : at + images])) == 1 for at in range(0, len(who), images))
    found = {}
    for index in (index for _, index in batch):
        found.setdefault(int(family[index]), []).append(int(person[index]))
    return {home: Counter(names) for home, names in found.items()}


@settings(max_examples=40, deadline=None)
@given(pairs=st.integers(6, 12), alone=st.integers(2, 6), each=st.integers(2, 6), seed=st.integers(0, 5))
def test_three_of_four_groups_are_twin_pairs_with_both_people_and_k_images(pairs, alone, each, seed):
    person, family = people(pairs, alone, each)
    sampler = FamilySampler(person, family, groups=8, images=3, twin_ratio=3, seed=seed)
    for _ in range(2):
        for batch in sampler:
            assert len(set(batch)) == len(batch) == (2 * 6 + 2) * 3, "an image that comes again must look different"
            groups = groups_of(batch, person, family, 3)
            assert len(groups) == 8
            assert sorted(len(members) for members in groups.values()) == [1, 1] + [2] * 6
            assert all(count == 3 for members in groups.values() for count in members.values())


def test_people_of_one_image_share_a_group_an_image_each():
    (several, homes), lone = people(0, 6, 4), 20
    person = np.concatenate([several, 6 + np.arange(lone)])
    family = np.concatenate([homes, 6 + np.arange(lone)])
    sampler = FamilySampler(person, family, groups=4, images=4, twin_ratio=0, seed=0)
    shared = set()
    for batch in chain.from_iterable(sampler for _ in range(4)):
        who = Counter(int(person[index]) for _, index in batch)
        assert len(batch) == 16
        assert all(count == (4 if one < 6 else 1) for one, count in who.items()), "nobody's only image is there twice"
        shared |= {one for one in who if one >= 6}
    assert len(shared) == lone, "all of them come up"


def test_too_few_people_of_one_image_are_repeated():
    person, family = people(0, 6, 1)
    batch = next(iter(FamilySampler(person, family, groups=3, images=3, twin_ratio=0, seed=0)))
    assert sorted(Counter(int(person[index]) for _, index in batch).values()) == [3, 3, 3]


def test_an_epoch_is_a_function_of_seed_and_number():
    person, family = people(8, 4)
    one, other, third = (FamilySampler(person, family, 4, 2, 3, seed) for seed in (1, 1, 2))
    first = list(one)
    assert first == list(other)
    assert first != list(one), "the second epoch is another one"
    assert first != list(third)


def test_all_twins_come_up_before_any_does_again():
    person, family = people(12, 0)
    sampler = FamilySampler(person, family, groups=4, images=2, twin_ratio=math.inf, seed=0)
    homes = [home for batch in sampler for home in groups_of(batch, person, family, 2)]
    assert sorted(homes[:12]) == list(range(12))


def test_without_single_people_a_twin_is_left_out():
    person, family = people(8, 0)
    for batch in FamilySampler(person, family, groups=4, images=2, twin_ratio=1, seed=0):
        assert sorted(len(m) for m in groups_of(batch, person, family, 2).values()) == [1, 1, 2, 2]


def test_two_of_a_larger_family_are_drawn():
    person, family = people(0, 0, group=4)
    drawn = set()
    sampler = FamilySampler(person, family, groups=1, images=2, twin_ratio=math.inf, seed=0)
    for batch in chain.from_iterable(sampler for _ in range(10)):
        drawn.add(tuple(sorted(set(person[[index for _, index in batch]].tolist()))))
    assert len(drawn) > 3
    assert all(len(two) == 2 for two in drawn)


def test_processes_get_whole_groups_and_together_what_one_gets():
    person, family = people(12, 6)
    whole = list(FamilySampler(person, family, 8, 2, 3, 0, world=1))
    parts = [list(FamilySampler(person, family, 8, 2, 3, 0, rank=rank, world=2)) for rank in (0, 1)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert sorted(chain(*shares)) == sorted(batch)
        for share in shares:
            assert sorted(len(m) for m in groups_of(share, person, family, 2).values()) == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 6, 4, 2, 3), "twin_ratio=0"),
        ((6, 6, 6, 2, 3), "multiple of 4"),
        ((2, 6, 4, 2, 3), "lower the groups"),
        ((6, 6, 4, 1, 3), "2 images"),
        ((6, 6, 4, 2, -1), "0 or more"),
        ((6, 6, 4, 2, float("nan")), "0 or more"),
    ],
)
def test_what_cannot_be_sampled_is_refused(arguments, words):
    pairs, alone, groups, images, ratio = arguments
    with pytest.raises(DataError, match=words):
        FamilySampler(*people(pairs, alone), groups, images, ratio, 0)


def test_people_without_twins_can_be_trained_on_with_ratio_zero():
    sampler = FamilySampler(*people(0, 6), groups=3, images=2, twin_ratio=0, seed=0)
    assert len(next(iter(sampler))) == 6
    with pytest.raises(DataError, match="processes"):
        FamilySampler(*people(0, 6), groups=3, images=2, twin_ratio=0, seed=0, world=2)
