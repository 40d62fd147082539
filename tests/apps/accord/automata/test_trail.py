"""What the network is taught."""

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton, replayed, trail
from datamodules.accord.instances import KINDS, TSP, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems
from tests.apps.accord.automata.test_replay import random_plan


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_trail_is_the_rollout_of_its_plan(kind, masked):
    machine, g = automaton(kind, masked=masked), np.random.default_rng(0)
    instances = problems.many(kind, count=15)
    batch = pack(instances)
    actions = replayed(machine, batch, instances, [random_plan(kind, one, g) for one in instances], g)
    taught = trail(machine, batch, actions)
    B, T = actions.shape
    A = machine.action_count(batch)
    assert taught.features_BTP.shape == (B, T, machine.state_width)
    assert taught.options_BTAQ.shape == (B, T, A, machine.option_width)
    assert taught.mask_BTA.shape == taught.entity_BTA.shape == taught.target_BTA.shape == (B, T, A)
    assert torch.equal(taught.free_BT, taught.mask_BTA.sum(2) >= 2)
    said = actions >= 0
    assert torch.equal(taught.target_BTA.sum(2) > 0, said)
    assert torch.allclose(taught.target_BTA.sum(2)[said], torch.tensor(1.0))
    assert not taught.target_BTA[~taught.mask_BTA].any()
    assert taught.target_BTA.gather(2, actions.clamp(min=0).unsqueeze(2)).squeeze(2)[said].all()
    state = problems.followed(machine, batch, actions)
    assert torch.equal(taught.objective_B, machine.objective(batch, state)[:, 0])
    assert (taught.current_BT[:, 0] == -1).all()


def test_any_item_of_the_set_may_come_next():
    instance = Knapsack([6, 5, 9, 2], [4, 3, 3, 5], 10)
    machine, batch = automaton("knapsack"), pack([instance])
    taught = trail(machine, batch, replayed(machine, batch, [instance], [(0, 1, 2)]))
    third = 1 / 3
    expected = torch.tensor([[0, third, third, third, 0], [0, 0.5, 0.5, 0, 0], [0, 1, 0, 0, 0]])
    assert torch.allclose(taught.target_BTA[0], expected)


def test_the_end_is_right_in_its_turn_only():
    instance = Knapsack([6, 5], [1, 1], 10)
    machine, batch = automaton("knapsack", end="free"), pack([instance])
    taught = trail(machine, batch, replayed(machine, batch, [instance], [(0,)]))
    assert taught.target_BTA[0].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_an_action_that_is_not_open_is_named():
    machine, batch = automaton("tsp"), pack([TSP(np.ones((3, 3)))])
    with pytest.raises(ValueError, match="action 1 of row 0 is not open at step 2"):
        trail(machine, batch, torch.tensor([[0, 1, 1]]))


def test_rows_that_are_done_at_once_leave_a_trail_of_nothing():
    machine, instance = automaton("knapsack"), Knapsack([3], [4], 0)
    batch = pack([instance])
    taught = trail(machine, batch, replayed(machine, batch, [instance], [()]))
    assert not taught.mask_BTA.any()
    assert not taught.target_BTA.any()
