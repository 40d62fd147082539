"""What the network is told: finite, without dimension, and blind to units, to places and to names (ACCORD brief 2.4.2; 9, 7 and 8)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems


def scaled(instance, by):
    if isinstance(instance, TSP):
        return TSP(instance.distances * by)
    if isinstance(instance, CVRP):
        return CVRP(instance.distances * by, instance.demands * by, instance.capacity * by, fleet=instance.fleet)
    if isinstance(instance, Knapsack):
        return Knapsack(instance.values * by, instance.weights * by, instance.capacity * by)
    if isinstance(instance, BinPacking):
        return BinPacking(instance.weights * by, instance.capacity * by)
    if isinstance(instance, FlowShop):
        return FlowShop(instance.times * by)
    return JobShop(tuple(tuple((machine, time * by) for machine, time in job) for job in instance.jobs), instance.machines)


def told(machine, batch, actions):
    """Masks, features and options along a rollout."""
    state, seen = machine.reset(batch, actions.shape[1]), []
    for action in actions.unbind(2):
        seen += [machine.mask(batch, state), machine.features(batch, state), machine.options(batch, state)]
        state = machine.step(batch, state, action)
    return seen


def ordinary(kind):
    g = np.random.default_rng(7)
    more = [problems.cvrp(g, 8, fleet=3, capacity=25)] if kind == "cvrp" else []
    return [problems.MAKERS[kind](g, int(g.integers(2, 9))) for _ in range(8)] + more


@pytest.mark.parametrize("by", [3, 10, 1001])
@pytest.mark.parametrize("kind", KINDS)
def test_other_units_tell_the_same_to_the_bit(kind, by):
    machine, instances = automaton(kind), ordinary(kind)
    actions, _ = problems.rolled(machine, pack(instances), 3)
    first = told(machine, pack(instances), actions)
    second = told(machine, pack([scaled(one, by) for one in instances]), actions)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_all_figures_are_finite_floats_and_features_are_of_the_order_of_one(kind):
    machine = automaton(kind)
    for instances, near in ((ordinary(kind), True), (problems.EXTREMES[kind], False)):
        batch = pack(instances)
        actions, _ = problems.rolled(machine, batch, 4)
        state = machine.reset(batch, 4)
        for action in actions.unbind(2):
            features, options = machine.features(batch, state), machine.options(batch, state)
            assert features.shape == (len(instances), 4, machine.state_width)
            assert options.shape == (len(instances), 4, machine.action_count(batch), machine.option_width)
            assert features.dtype == options.dtype == torch.float32
            assert features.isfinite().all()
            assert options.isfinite().all()
            assert not near or features.abs().max() < 4
            state = machine.step(batch, state, action)


def renamed(kind, instance, g):
    """The same problem in another order of its entities, and where each action went."""
    if kind == "jssp":
        order, machines = g.permutation(instance.size), g.permutation(instance.machines)
        jobs = tuple(tuple((int(machines[k]), time) for k, time in instance.jobs[j]) for j in order)
        return replace(instance, jobs=jobs), np.argsort(order)
    if kind == "pfsp":
        order = g.permutation(instance.size)
        return FlowShop(instance.times[order]), np.argsort(order)
    if kind == "tsp":
        order = g.permutation(instance.size)
        return TSP(instance.distances[np.ix_(order, order)]), np.argsort(order)
    if kind == "cvrp":
        order = np.append(0, 1 + g.permutation(instance.size))
        return replace(instance, distances=instance.distances[np.ix_(order, order)], demands=instance.demands[order]), np.argsort(order)
    order = g.permutation(instance.size)
    return Knapsack(instance.values[order], instance.weights[order], instance.capacity), np.append(0, 1 + np.argsort(order))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"binpack"}))  # its order is that of the sizes
def test_other_names_only_move_the_options(kind):
    g = np.random.default_rng(9)
    machine = automaton(kind, generator="semi") if kind == "jssp" else automaton(kind)  # active schedules break ties by the job's number
    for _ in range(10):
        instance = replace(problems.MAKERS[kind](g, 6), **({"xy": None} if kind in ("tsp", "cvrp") else {}))
        other, moved = renamed(kind, instance, g)
        moved = torch.as_tensor(moved)
        one, two = pack([instance]), pack([other])
        actions, _ = problems.rolled(machine, one, 2)
        first, second = machine.reset(one, 2), machine.reset(two, 2)
        for action in actions.unbind(2):
            for name in ("mask", "options"):
                assert torch.equal(getattr(machine, name)(one, first), getattr(machine, name)(two, second)[:, :, moved])
            assert torch.equal(machine.features(one, first), machine.features(two, second))
            first = machine.step(one, first, action)
            second = machine.step(two, second, torch.where(action < 0, action, moved[action.clamp(min=0)]))
        assert torch.equal(machine.objective(one, first), machine.objective(two, second))


def test_what_the_options_say():
    tsp = automaton("tsp")
    batch = pack([TSP([[0, 1, 2], [3, 0, 6], [4, 8, 0]])])
    state = tsp.reset(batch, 1)
    assert not tsp.options(batch, state).any()  # nowhere yet
    for node in (1, 2):
        state = tsp.step(batch, state, torch.tensor([[node]]))
    assert torch.allclose(tsp.options(batch, state)[0, 0], torch.tensor([[4, 1], [8, 0], [0, 8]]) / 4)  # the mean leg is 4

    sack = automaton("knapsack")
    batch = pack([Knapsack([6, 5, 9], [4, 5, 3], 10)])
    state = sack.step(batch, sack.reset(batch, 1), torch.tensor([[3]]))
    assert torch.allclose(sack.options(batch, state)[0, 0], torch.tensor([[0.7, 0], [0.3, 1], [0.2, 1 / 1.5], [0.4, 0]]))

    bins = automaton("binpack")
    batch = pack([BinPacking([4, 6], 10)])
    state = bins.step(batch, bins.reset(batch, 1), torch.tensor([[1]]))
    assert torch.allclose(bins.options(batch, state)[0, 0], torch.tensor([[0.4, 0, 0.4], [-0.2, 0, -0.2], [0, 1, 0]]))
    batch = pack([BinPacking([5, 4, 3, 2], 10)])
    state = bins.step(batch, bins.reset(batch, 1), torch.tensor([[1]]))  # 3 and 2 fill the bin, 4 leaves 1; behind 2 there is nothing
    assert torch.allclose(bins.options(batch, state)[0, 0, 2:], torch.tensor([[0.1, 0, 0.1], [0.2, 0, 0], [0.3, 0, 0.3]]))
    state = bins.step(batch, state, torch.tensor([[4]]))  # of the next bin only 4 and 3 are left to come
    state = bins.step(batch, state, torch.tensor([[0]]))
    assert torch.allclose(bins.options(batch, state)[0, 0, 2:4], torch.tensor([[0.6, 0, 0.3], [0.7, 0, 0.7]]))

    routes = automaton("cvrp")
    batch = pack([CVRP([[0, 2, 4], [2, 0, 3], [4, 3, 0]], [0, 2, 3], 5)])
    state = routes.step(batch, routes.reset(batch, 1), torch.tensor([[1]]))
    expected = torch.tensor([[2 / 3, 0.6, 0], [0, 0.2, 2 / 3], [1, 0, 4 / 3]])
    assert torch.allclose(routes.options(batch, state)[0, 0], expected)

    flow = automaton("pfsp")
    batch = pack([FlowShop([[2, 1], [1, 4]])])
    state = flow.step(batch, flow.reset(batch, 1), torch.tensor([[1]]))  # machines are free at 1 and 5
    assert torch.allclose(flow.options(batch, state)[0, 0, 0], torch.tensor([0.0, 0.25, 0.0]))  # at 6, as was known before
    start = flow.reset(batch, 1)  # at 5 at the earliest; job 0: the second machine waits for 2, and then has 5 to do
    assert torch.allclose(flow.options(batch, start)[0, 0], torch.tensor([[0.25, 0.75, 0.5], [0.125, 1.25, 0.25]]))

    shop = automaton("jssp")
    batch = pack([JobShop((((0, 3), (1, 2)), ((0, 4), (1, 1))), 2)])
    state = shop.step(batch, shop.reset(batch, 1), torch.tensor([[0]]))  # both may start at 3
    assert torch.allclose(shop.options(batch, state)[0, 0], torch.tensor([[0, 2 / 4, 2 / 4, 2 / 7, 3 / 7], [0, 1, 1, 5 / 7, 4 / 7]]))
