import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.otsnet.mixing import MixedOrder, Source, length_weights

SOURCES = [Source(0, 7), Source(7, 100, share=2.0), Source(107, 90, share=1.0, endless=True)]


def indices(order, epoch):
    order.set_epoch(epoch)
    return np.array([index for batch in order for _, index in batch])


def test_order_is_a_function_of_seed_and_epoch():
    one, other = MixedOrder(SOURCES, 90, 10, seed=4), MixedOrder(SOURCES, 90, 10, seed=4)
    indices(one, 0)
    assert (indices(one, 3) == indices(other, 3)).all()
    assert (indices(one, 3) != indices(one, 4)).any()
    assert (indices(MixedOrder(SOURCES, 90, 10, seed=5), 3) != indices(other, 3)).any()


def test_a_small_source_shows_all_before_any_comes_again():
    order = MixedOrder([Source(0, 7)], 30, 10, seed=0)
    counts = np.bincount(indices(order, 0), minlength=7)
    assert set(counts) == {4, 5}


def test_a_word_that_comes_again_has_a_turn_of_its_own():
    turns = [turn for batch in MixedOrder([Source(0, 3)], 30, 10, seed=0) for turn in batch]
    assert len(set(turns)) == 30


def test_endless_slots_are_numbered_without_repeats():
    drawn = indices(MixedOrder(SOURCES, 90, 10, seed=0), 0)
    made = drawn[drawn >= 107]
    assert len(made) == len(set(made)) > 10
    assert made.max() < 197


def test_an_order_is_taken_up_at_any_batch():
    whole = list(MixedOrder(SOURCES, 90, 10, seed=1))
    rest = MixedOrder(SOURCES, 90, 10, seed=1)
    rest.start_at(0, 4)
    assert list(rest) == whole[4:]


def test_lengths_weigh_as_one_over_the_root_of_their_count():
    assert length_weights([3, 3, 3, 3, 8]).tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]


@pytest.mark.parametrize("shares", [(0.0, 0.0), (-1.0, 2.0), (float("nan"), 1.0), ()])
def test_shares_that_say_nothing_are_refused(shares):
    with pytest.raises(DataError, match="not all 0"):
        MixedOrder([Source(0, 5, share) for share in shares], 10, 5, seed=0)
