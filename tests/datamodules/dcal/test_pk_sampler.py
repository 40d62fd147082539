from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.dcal.pk_sampler import PkSampler
from datamodules.errors import DataError

SETS = st.lists(st.integers(1, 12), min_size=4, max_size=15)


def ids_of(counts):
    """Pictures of an identity do not lie together."""
    ids = np.repeat(np.arange(len(counts)) * 7 + 3, counts)
    return np.random.default_rng(0).permutation(ids)


def epochs(sampler, count):
    return [list(sampler) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(counts=SETS, p=st.integers(2, 4), k=st.integers(2, 5), seed=st.integers(0, 3))
def test_every_batch_has_p_identities_with_k_pictures_and_every_identity_comes_up(counts, p, k, seed):
    ids = ids_of(counts)
    sampler = PkSampler(ids, p, k, seed)
    for batches in epochs(sampler, 2):
        assert len(batches) == len(sampler)
        for batch in batches:
            groups = [ids[[index for _, index in batch[at * k : (at + 1) * k]]] for at in range(p)]
            assert len(batch) == p * k
            assert all(len(set(group.tolist())) == 1 for group in groups)
            assert len({int(group[0]) for group in groups}) == p
        assert {int(ids[index]) for _, index in chain(*batches)} == set(ids.tolist())
        turns = list(chain(*batches))
        assert len(set(turns)) == len(turns), "a picture that comes again must look different"


@settings(max_examples=40, deadline=None)
@given(counts=SETS, k=st.integers(2, 4))
def test_a_group_repeats_a_picture_only_where_the_identity_lacks_pictures(counts, k):
    ids = ids_of(counts)
    have = Counter(ids.tolist())
    for batch in PkSampler(ids, 2, k, 0):
        for at in range(2):
            group = [index for _, index in batch[at * k : (at + 1) * k]]
            shown = Counter(group)
            pictures = have[int(ids[group[0]])]
            assert len(shown) == min(k, pictures)
            assert max(shown.values()) - min(shown.values()) <= 1


def test_order_is_a_function_of_seed_and_epoch():
    ids = ids_of([6] * 9)
    one, same, other = PkSampler(ids, 3, 2, 1), PkSampler(ids, 3, 2, 1), PkSampler(ids, 3, 2, 2)
    first, second = epochs(one, 2)
    assert [first, second] == epochs(same, 2)
    assert first != second
    assert first != list(other)


@pytest.mark.parametrize("finished", [0, 1, 4])
def test_training_is_taken_up_at_any_batch(finished):
    ids = ids_of([4, 9, 1, 6, 6, 7, 3])
    whole = PkSampler(ids, 3, 2, 1)
    whole.set_epoch(5)
    expected = list(whole)
    again = PkSampler(ids, 3, 2, 1)
    again.start_at(5, finished)
    assert list(again) == expected[finished:]


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_see_together_what_one_process_sees_in_whole_identities(world):
    ids = ids_of([5] * 12)
    one = list(PkSampler(ids, 4, 3, 1))
    ranks = [list(PkSampler(ids, 4, 3, 1, rank=rank, world=world)) for rank in range(world)]
    assert [list(chain(*shares)) for shares in zip(*ranks, strict=True)] == one
    for batch in chain(*ranks):
        assert set(Counter(int(ids[index]) for _, index in batch).values()) == {3}


def test_equal_identities_all_show_all_their_pictures():
    ids = ids_of([8] * 16)
    sampler = PkSampler(ids, 4, 4, 0)
    assert sampler.waiting == 0
    assert sorted(index for _, index in chain(*sampler)) == list(range(128))


def test_a_large_identity_does_not_fill_batches_alone_and_its_pictures_come_up_over_epochs():
    ids = ids_of([100, 4, 4, 4])
    sampler = PkSampler(ids, 2, 4, 0)
    assert len(sampler) == 3
    assert sampler.waiting == 100 - 12
    assert len({index for epoch in epochs(sampler, 60) for _, index in chain(*epoch)}) == len(ids)


def test_the_last_batch_is_filled_by_identities_that_come_again_with_other_pictures():
    ids = ids_of([2, 2, 3, 2, 2])
    (sampler,) = [PkSampler(ids, 4, 2, 0)]
    assert len(sampler) == 2
    counts = Counter(int(ids[index]) for _, index in chain(*sampler))
    assert len(counts) == 5
    assert sorted(counts.values()) == [2, 2, 4, 4, 4]


@pytest.mark.parametrize(
    ("p", "k", "world", "words"),
    [
        (6, 2, 1, "6 identities a batch, but 5 in training"),
        (1, 2, 1, "no pairs"),
        (2, 1, 1, "no pairs"),
        (3, 2, 2, "multiple of 2"),
    ],
)
def test_what_cannot_be_batched_is_refused(p, k, world, words):
    with pytest.raises(DataError, match=words):
        PkSampler(ids_of([2] * 5), p, k, 0, world=world)
