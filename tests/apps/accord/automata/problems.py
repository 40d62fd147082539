"""Small random problems of every kind, with the odd ones among them, and ways to roll an automaton over them."""

import numpy as np
import torch

from apps.accord.automata import PAD
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack


def routed(g, n, symmetric=True):
    xy = g.integers(0, 1000, (n, 2))
    d = np.rint(np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))).astype(np.int64)
    return (d, xy) if symmetric else (d + g.integers(0, 300, (n, n)), None)


def tsp(g, n, symmetric=True):
    d, xy = routed(g, n, symmetric)
    return TSP(d, xy)


def cvrp(g, n, fleet=None, capacity=20, symmetric=True):
    d, xy = routed(g, n + 1, symmetric)
    return CVRP(d, np.append(0, g.integers(0, 10, n)), capacity, fleet=fleet, xy=xy)


def knapsack(g, n, capacity=None):
    weights = g.integers(0, 30, n)
    return Knapsack(g.integers(0, 30, n), weights, int(weights.sum() * 0.4) if capacity is None else capacity)


def binpack(g, n, capacity=30):
    return BinPacking(g.integers(0, capacity + 1, n), capacity)


def pfsp(g, n, machines=None):
    return FlowShop(g.integers(0, 20, (n, machines or g.integers(1, 6))))


def jssp(g, n, machines=None):
    """Jobs of unequal length that may come to a machine twice, and operations without length."""
    if machines is None:
        machines = int(g.integers(1, 5))
        return JobShop(tuple(_job(g, g.integers(0, machines, g.integers(1, 6))) for _ in range(n)), machines)
    return JobShop(tuple(_job(g, g.permutation(machines)) for _ in range(n)), machines)


def _job(g, machines):
    return tuple((int(machine), int(g.integers(0, 8))) for machine in machines)


MAKERS = {"tsp": tsp, "cvrp": cvrp, "knapsack": knapsack, "binpack": binpack, "pfsp": pfsp, "jssp": jssp}
BIG = 1 << 55
EXTREMES = {
    "tsp": [
        TSP([[0]]),
        TSP([[0, 3], [4, 0]]),
        TSP(np.zeros((5, 5))),
        TSP((np.ones((3, 3)) - np.eye(3)).astype(np.int64) * BIG),
    ],
    "cvrp": [
        CVRP([[0]], [0], 5),
        CVRP([[0, 7], [5, 0]], [0, 3], 3),
        CVRP(np.zeros((4, 4)), [0, 0, 0, 0], 0),
        CVRP(np.ones((4, 4)), [0, BIG, BIG, BIG], BIG * 2, fleet=2),
        CVRP(np.ones((6, 6)), [0, 5, 5, 5, 5, 0], 5, fleet=4),
    ],
    "knapsack": [
        Knapsack([], [], 5),
        Knapsack([3], [4], 3),
        Knapsack([3, 0, 2], [0, 0, 5], 0),
        Knapsack([BIG, BIG], [BIG, BIG], BIG),
        Knapsack([1, 2, 3], [1, 1, 1], 1 << 61),
    ],
    "binpack": [
        BinPacking([], 5),
        BinPacking([0, 0], 5),
        BinPacking([5, 5, 5], 5),
        BinPacking([BIG, BIG, 0, 1], BIG),
        BinPacking([1], 1 << 61),
    ],
    "pfsp": [
        FlowShop([[4]]),
        FlowShop([[1, 2, 3]]),
        FlowShop([[3], [1], [2]]),
        FlowShop(np.zeros((4, 3))),
        FlowShop([[BIG, 1], [1, BIG]]),
    ],
    "jssp": [
        JobShop((((0, 3),),), 1),
        JobShop((((0, 0), (1, 0)), ((1, 0), (0, 0))), 2),
        JobShop((((0, 3), (0, 2), (0, 0)), ((0, 1),)), 4),
        JobShop((((0, BIG), (1, 1)), ((1, BIG), (0, BIG))), 2),
    ],
}


def many(kind, count=30, low=1, high=8, seed=0):
    """Random problems of mixed sizes, and the odd ones."""
    g = np.random.default_rng(seed)
    return [*EXTREMES[kind], *(MAKERS[kind](g, int(g.integers(low, high + 1))) for _ in range(count))]


def rolled(machine, batch, rollouts, seed=0):
    """(B,S,T) random open actions, and the last state. At every step a row is done or has a way on."""
    torch.manual_seed(seed)
    state, actions = machine.reset(batch, rollouts), []
    for _ in range(machine.longest(batch)):
        mask = machine.mask(batch, state)
        assert torch.equal(mask.any(2), ~machine.done(batch, state))
        action = torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), PAD)
        actions.append(action)
        state = machine.step(batch, state, action)
    assert machine.done(batch, state).all()
    return torch.stack(actions, 2) if actions else torch.empty(*state["stuck"].shape, 0, dtype=torch.int64), state


def followed(machine, batch, actions_BT):
    """The last state of one rollout along actions, each of which is open."""
    state = machine.reset(batch, 1)
    for action_B1 in actions_BT.split(1, 1):
        mask = machine.mask(batch, state)
        assert mask.gather(2, action_B1.clamp(min=0).unsqueeze(2)).flatten()[action_B1.flatten() >= 0].all()
        state = machine.step(batch, state, action_B1)
    return state


def leaves(machine, instance, first=None):
    """Every path that the masks allow: the objectives (P,) and the actions (P,T) of a problem."""
    batch = pack([instance])
    state = machine.reset(batch, 1)
    paths = torch.full((1, 0), PAD)
    for step in range(machine.longest(batch)):
        mask = machine.mask(batch, state)
        over = machine.done(batch, state)
        assert torch.equal(mask.any(2), ~over)
        if over.all():
            break
        mask = mask if step or first is None else mask & (torch.arange(mask.shape[2]) == first)
        parent, action = torch.cat([mask[0], over[0][:, None]], 1).nonzero().unbind(1)
        action = action.masked_fill(action == mask.shape[2], PAD)
        state = machine.step(batch, {name: tensor[:, parent] for name, tensor in state.items()}, action[None])
        paths = torch.cat([paths[parent], action[:, None]], 1)
    assert machine.done(batch, state).all()
    return machine.objective(batch, state)[0], paths, state
