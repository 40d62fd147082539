"""The odd ones (ACCORD brief 9, property 17), and what a builder refuses."""

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems


def only(instance, **options):
    """The plan and the objective of a rollout that has no choice worth the name."""
    machine, batch = automaton(instance.kind, **options), pack([instance])
    actions, state = problems.rolled(machine, batch, 1)
    return machine.plan(instance, actions[0, 0].tolist()), machine.objective(batch, state).item()


def test_one_node_is_a_round_of_no_length_and_two_are_there_and_back():
    assert only(TSP([[0]])) == ((0,), 0)
    plan, cost = only(TSP([[0, 3], [3, 0]]))
    assert sorted(plan) == [0, 1]
    assert cost == 6
    assert only(TSP([[0, 3], [5, 0]]))[1] == 8


def test_identical_points_cost_nothing():
    assert only(TSP(np.zeros((6, 6))))[1] == 0
    assert only(CVRP(np.zeros((4, 4)), [0, 1, 1, 1], 1))[1] == 0


def test_a_round_against_the_clock_costs_what_its_own_direction_says():
    machine, batch = automaton("tsp"), pack([TSP([[0, 1, 9], [9, 0, 1], [1, 9, 0]])])
    for order, cost in (((0, 1, 2), 3), ((0, 2, 1), 27)):
        state = machine.reset(batch, 1)
        for node in order:
            state = machine.step(batch, state, torch.tensor([[node]]))
        assert machine.objective(batch, state).item() == cost


def test_no_customers_no_routes():
    assert only(CVRP([[0]], [0], 5)) == ((), 0)


def test_customers_without_demand_ride_along():
    plan, _ = only(CVRP(np.ones((4, 4)), [0, 0, 0, 0], 0, fleet=1))
    assert [sorted(route) for route in plan] == [[1, 2, 3]]


def test_a_sack_that_holds_nothing_is_done_at_once():
    assert only(Knapsack([3, 4], [1, 2], 0)) == ((), 0)
    assert only(Knapsack([3], [4], 3)) == ((), 0)
    assert only(Knapsack([], [], 3)) == ((), 0)


def test_items_without_weight_are_taken_and_those_without_value_never():
    assert only(Knapsack([3, 0, 0], [0, 0, 1], 5)) == ((0,), 3)
    assert only(Knapsack([3, 0, 7], [0, 0, 1], 5), end="free")[0] in ((0,), (0, 2))


def test_a_sack_never_stops_with_room_for_more():
    machine = automaton("knapsack")
    batch = pack([problems.knapsack(np.random.default_rng(k), 8) for k in range(20)])
    state = machine.reset(batch, 4)
    while not machine.done(batch, state).all():
        mask = machine.mask(batch, state)
        assert not mask[:, :, 0].any()
        state = machine.step(batch, state, torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1))


def test_items_as_large_as_a_bin_lie_alone():
    assert only(BinPacking([5, 5, 5], 5)) == (((0,), (1,), (2,)), 3)


def test_items_of_no_size_join_the_first_bin_or_share_one():
    assert only(BinPacking([0, 3, 0], 3)) == (((1, 0, 2),), 1)
    assert only(BinPacking([0, 0], 3)) == (((0, 1),), 1)
    assert only(BinPacking([], 3)) == ((), 0)


def test_a_bin_is_closed_exactly_when_nothing_more_fits():
    machine, batch = automaton("binpack"), pack([BinPacking([6, 5, 4, 4, 1], 10)])
    state, seen = machine.reset(batch, 1), []
    for action in (1, 3, 0, 2, 4, 5):
        seen.append(machine.mask(batch, state)[0, 0].nonzero().flatten().tolist())
        state = machine.step(batch, state, torch.tensor([[action]]))
    # The largest is forced; one of the two 4s stands for both; 6 + 4 is full; 5 is the largest left; 5 + 4 leaves 1.
    assert seen == [[1], [3, 5], [0], [2], [4, 5], [5]]
    assert machine.done(batch, state)
    assert machine.objective(batch, state).item() == 2


def test_inside_a_bin_nothing_goes_before_the_last():
    machine, batch = automaton("binpack"), pack([BinPacking([5, 3, 2], 10)])
    state = machine.reset(batch, 1)
    for action in (1, 3):
        state = machine.step(batch, state, torch.tensor([[action]]))
    assert machine.mask(batch, state)[0, 0].tolist() == [True, False, False, False]  # 5 + 3 + 2 is reached as 5, 3, 2 only


def test_one_machine_and_one_job():
    assert only(FlowShop([[3], [2]]))[1] == 5
    assert only(FlowShop([[3, 2]])) == ((0,), 5)
    assert only(JobShop((((0, 3), (0, 2)),), 1)) == (((0, 3),), 5)
    assert only(JobShop((((0, 3),), ((0, 2),)), 1))[1] == 5


@pytest.mark.parametrize("generator", ["active", "semi", "nondelay"])
def test_operations_without_length_close_no_mask(generator):
    shop = JobShop((((0, 0), (1, 0)), ((1, 0), (0, 0)), ((0, 0),)), 2)
    objectives, _, _ = problems.leaves(automaton("jssp", generator=generator), shop)
    assert not objectives.any()


def test_the_conflict_set_is_that_of_giffler_and_thompson():
    # Job 0 would end first, at 3 on machine 0; job 1 could start there at 2 < 3, job 2 not before 3, job 3 is elsewhere.
    shop = JobShop((((0, 3),), ((1, 2), (0, 9)), ((1, 1), (2, 1), (0, 5)), ((3, 4),)), 4)
    machine, batch = automaton("jssp"), pack([shop])
    state = machine.reset(batch, 1)
    for job in (2, 1, 2):
        state = machine.step(batch, state, torch.tensor([[job]]))
    # Job 2 used machine 1 from 0 to 1 and machine 2 from 1 to 2; job 1 machine 1 from 1 to 3.
    assert state["start"][0, 0].tolist() == [0, 3, 2, 0]
    assert machine.mask(batch, state)[0, 0].tolist() == [True, False, True, False]


def test_a_wrong_kind_or_option_is_named():
    with pytest.raises(ValueError, match="kind 'vrp'"):
        automaton("vrp")
    with pytest.raises(ValueError, match="'maximal' or 'free'"):
        automaton("knapsack", end="never")
    with pytest.raises(ValueError, match="'active', 'semi' or 'nondelay'"):
        automaton("jssp", generator="lazy")
    with pytest.raises(TypeError):
        automaton("tsp", end="free")
