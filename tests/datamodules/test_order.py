from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.errors import DataError
from datamodules.order import EvalOrder, Loader, Order, epoch_order, sample_rng


def batches(order):
    return [list(batch) for batch in order]


def indices(order):
    return [index for batch in order for _, index in batch]


def test_every_sample_comes_once_an_epoch_and_epochs_differ():
    order = Order(50, 8, seed=1)
    first, second = indices(order), indices(order)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_order_is_a_function_of_seed_and_epoch():
    assert (epoch_order(100, 1, 2) == epoch_order(100, 1, 2)).all()
    assert (epoch_order(100, 1, 2) != epoch_order(100, 1, 3)).any()
    assert (epoch_order(100, 1, 2) != epoch_order(100, 2, 2)).any()


@given(size=st.integers(4, 60), shares=st.integers(1, 4), world=st.integers(1, 4), drop_last=st.booleans(), weighted=st.booleans())
def test_ranks_see_together_what_one_process_sees(size, shares, world, drop_last, weighted):
    batch = shares * world
    if size < (batch if drop_last else world):
        return
    weights = np.arange(1, size + 1) if weighted else None
    one = batches(Order(size, batch, 3, weights=weights, drop_last=drop_last))
    ranks = [batches(Order(size, batch, 3, weights=weights, drop_last=drop_last, rank=rank, world=world)) for rank in range(world)]
    assert len({len(own) for own in ranks}) == 1
    assert all(own for rank in ranks for own in rank), "no rank may get an empty share"
    together = [list(chain(*shares)) for shares in zip(*ranks, strict=True)]
    assert together == one[: len(together)]
    assert sum(map(len, one[len(together) :])) < world  # only a tail smaller than the number of ranks is left out


def test_dropped_counts_what_an_epoch_leaves_out():
    assert Order(10, 4, 0, drop_last=True).dropped == 2
    assert Order(10, 4, 0).dropped == 0
    assert Order(9, 4, 0, world=2).dropped == 1
    assert Order(10, 4, 0, world=2).dropped == 0


def test_batch_that_cannot_be_split_is_refused():
    with pytest.raises(DataError, match="choose a multiple of 2"):
        Order(10, 5, 0, world=2)
    with pytest.raises(DataError, match="lower batch_size"):
        Order(3, 4, 0, drop_last=True)


@pytest.mark.parametrize("finished", [0, 1, 5])
def test_start_at_continues_where_the_epoch_stood(finished):
    whole = Order(50, 8, seed=1)
    whole.set_epoch(3)
    expected = batches(whole)
    again = Order(50, 8, seed=1)
    again.start_at(3, finished)
    assert batches(again) == expected[finished:]
    assert {turn for batch in batches(again) for turn, _ in batch} == {4}, "the next iteration is the next epoch, from its first batch"


def test_position_is_what_the_trainer_finished_not_what_was_fetched():
    order = Order(50, 8, seed=1)
    iterator = iter(order)
    for _ in range(5):
        next(iterator)
    order.finished = 2
    assert order.position() == {"epoch": 0, "finished": 2}


def test_position_after_the_last_batch_is_the_next_epoch():
    order = Order(16, 8, seed=1)
    batches(order)
    order.finished = 2
    assert order.position() == {"epoch": 1, "finished": 0}
    order.start_at(4, 2)
    assert order.position() == {"epoch": 5, "finished": 0}


def test_set_epoch_keeps_a_position_of_the_same_epoch_and_drops_another():
    order = Order(50, 8, seed=1)
    order.start_at(2, 3)
    order.set_epoch(2)
    assert len(batches(order)) == len(order) - 3
    order.start_at(2, 3)
    order.set_epoch(3)
    assert len(batches(order)) == len(order)
    order.set_epoch(3)  # told again after it was iterated: from its first batch
    assert len(batches(order)) == len(order)


def test_position_outside_the_epoch_is_refused():
    with pytest.raises(DataError, match="batch_size has changed"):
        Order(16, 8, seed=1).start_at(0, 3)


def test_balanced_order_draws_rare_classes_as_often():
    labels = np.repeat([0, 1], [900, 100])
    order = Order(1000, 10, 0, weights=1 / np.bincount(labels)[labels])
    share = np.mean([labels[index] for index in indices(order)])
    assert 0.44 < share < 0.56
    assert indices(order) != indices(order)


def test_sample_drawn_twice_in_an_epoch_does_not_look_the_same():
    turns = [turn for batch in Order(40, 8, 0, weights=[1, *[0.01] * 39]) for turn in batch]
    assert len({index for _, index in turns}) < len(turns), "the example must repeat"
    assert len(set(turns)) == len(turns)


@pytest.mark.parametrize("weights", [[1, 2], [0, 0, 0], [1, -1, 1], [1, float("nan"), 1]])
def test_senseless_weights_are_refused(weights):
    with pytest.raises(DataError, match="weights"):
        Order(3, 1, 0, weights=weights)


def test_sample_randomness_depends_on_seed_turn_and_index_only():
    base = sample_rng(1, 2, 3).random(4)
    assert (sample_rng(1, 2, 3).random(4) == base).all()
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 2 + 2**32, 3)):
        assert (sample_rng(*other).random(4) != base).all()


@given(size=st.integers(1, 60), batch=st.integers(1, 9), world=st.integers(1, 5))
def test_evaluation_sees_everything_once_with_equally_many_batches(size, batch, world):
    if size < world:
        with pytest.raises(DataError, match="devices=1"):
            EvalOrder(size, batch, world=world)
        return
    ranks = [batches(EvalOrder(size, batch, rank=rank, world=world)) for rank in range(world)]
    assert [index for rank in ranks for own in rank for index in own] == list(range(size))
    assert len({len(rank) for rank in ranks}) == 1
    assert all(1 <= len(own) <= max(1, batch // world) + 1 for rank in ranks for own in rank)
    if world == 1:
        assert all(len(own) <= batch for own in ranks[0])


class Broken:
    def __len__(self):
        return 4

    def __getitem__(self, key):
        raise DataError("bird.jpg: cut short; copy it again")


class Numbers:
    def __len__(self):
        return 24

    def __getitem__(self, key):
        turn, index = key
        return torch.tensor([turn, index, sample_rng(0, turn, index).integers(2**40)])


def test_loader_state_continues_with_any_number_of_workers():
    def seen(workers, state=None):
        loader = Loader(Numbers(), Order(24, 4, 7), workers=workers)
        if state:
            loader.load_state_dict(state)
        return [batch.tolist() for batch in loader]

    whole = seen(0)
    assert seen(2) == whole
    assert seen(2, {"epoch": 0, "finished": 4}) == whole[4:]


def test_loader_with_persistent_workers_counts_epochs_by_itself():
    loader = Loader(Numbers(), Order(24, 4, 7), workers=1, persistent_workers=True)
    assert [{int(turn) for batch in loader for turn in batch[:, 0]} for _ in range(3)] == [{0}, {1}, {2}]


def test_making_an_iterator_leaves_global_randomness_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    next(iter(Loader(Numbers(), Order(24, 4, 7))))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_file_is_one_line_also_from_a_worker(workers):
    with pytest.raises(DataError) as caught:
        next(iter(Loader(Broken(), Order(4, 2, 0), workers=workers)))
    assert str(caught.value) == "bird.jpg: cut short; copy it again"
