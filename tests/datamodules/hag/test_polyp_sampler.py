"""Every epoch has N frames of every polyp, as a function of seed and epoch."""

from collections import Counter

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.hag.polyp_sampler import PolypSampler

POLYPS = np.repeat([3, 5, 8, 9], [1, 4, 10, 25])  # one polyp has a single frame


def indices(sampler):
    return [index for batch in sampler for _, index in batch]


def test_every_polyp_has_its_frames_each_epoch_also_one_with_a_single_frame():
    sampler = PolypSampler(POLYPS, frames=8, batch_size=32, seed=0)
    for _ in range(3):
        drawn = indices(sampler)
        assert Counter(POLYPS[drawn].tolist()) == {3: 8, 5: 8, 8: 8, 9: 8}
        of_four = Counter(index for index in drawn if POLYPS[index] == 5)
        assert set(of_four.values()) == {2}, "repeated equally often"
        long = [index for index in drawn if POLYPS[index] == 9]
        assert len(set(long)) >= 7, "seldom twice where there are more than enough"


def test_a_repeated_frame_is_augmented_anew():
    turns = [turn for batch in PolypSampler(POLYPS, 8, 32, 0) for turn in batch]
    assert len(set(turns)) == len(turns)


def test_over_epochs_all_frames_come_equally_often():
    sampler = PolypSampler(POLYPS, frames=5, batch_size=20, seed=0)
    counts = Counter(index for _ in range(5) for index in indices(sampler))
    assert {counts[index] for index in np.flatnonzero(POLYPS == 9)} == {1}
    assert max(counts[i] for i in np.flatnonzero(POLYPS == 8)) - min(counts[i] for i in np.flatnonzero(POLYPS == 8)) <= 1


def test_an_epoch_depends_on_seed_and_epoch_alone_and_is_taken_up_anywhere():
    def fresh(seed=0):
        return PolypSampler(POLYPS, 6, 8, seed)

    whole = fresh()
    first, second = list(whole), list(whole)
    assert first != second
    later = fresh()
    later.start_at(1, 2)
    assert list(later) == second[2:]
    assert list(fresh(1)) != first


def test_processes_share_every_batch():
    alone = list(PolypSampler(POLYPS, 6, 8, 0))
    shares = [list(PolypSampler(POLYPS, 6, 8, 0, rank=rank, world=2)) for rank in range(2)]
    assert [one + other for one, other in zip(*shares, strict=True)] == alone


def test_few_polyps_make_one_small_batch():
    assert len(indices(PolypSampler([0, 1], 2, 32, 0))) == 4


def test_no_frames_are_refused():
    with pytest.raises(DataError, match="frames_per_polyp must be at least 1"):
        PolypSampler(POLYPS, 0, 8, 0)
