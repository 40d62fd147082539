"""Random rollouts: always feasible, the objective always the checker's, and no instance knows its batch mates."""

import numpy as np
import pytest
import torch

from apps.accord.automata import automaton
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, KINDS
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems

MACHINES = [
    *((kind, {}) for kind in KINDS),
    ("knapsack", {"end": "free"}),
    ("jssp", {"generator": "semi"}),
    ("jssp", {"generator": "nondelay"}),
]


@pytest.mark.parametrize(("kind", "options"), MACHINES)
def test_a_thousand_random_rollouts_are_feasible_and_cost_what_the_checker_says(kind, options):
    machine = automaton(kind, **options)
    instances = problems.many(kind, count=120)
    actions, state = problems.rolled(machine, pack(instances), 8)
    objectives = machine.objective(pack(instances), state)
    for b, instance in enumerate(instances):
        for s in range(8):
            report = check(instance, machine.plan(instance, actions[b, s].tolist()))
            assert report.feasible, (instance, report.violations)
            assert report.objective == objectives[b, s]


def test_random_rollouts_of_hard_fleets_are_feasible():
    machine, g = automaton("cvrp"), np.random.default_rng(5)
    instances = [problems.cvrp(g, int(g.integers(4, 25)), capacity=int(g.integers(10, 40))) for _ in range(60)]
    needs = [-(-int(one.demands.sum()) // one.capacity) for one in instances]
    instances = [one.with_fleet(max(1, need + int(g.integers(0, 2)))) for one, need in zip(instances, needs, strict=True)]
    batch = pack(instances)
    actions, state = problems.rolled(machine, batch, 6)
    stuck = state["stuck"].all(1)
    assert 0 < stuck.sum() < 15  # where the fleet is too small altogether
    assert torch.equal(stuck, state["stuck"].any(1))
    for b, instance in enumerate(instances):
        for s in range(6):
            report = check(instance, machine.plan(instance, actions[b, s].tolist()))
            assert report.feasible or (stuck[b] and not actions[b, s].ge(0).any())


def test_a_fleet_that_cannot_serve_all_is_stuck_at_once():
    instance = CVRP(np.ones((4, 4)), [0, 3, 3, 3], 4, fleet=2)
    machine, batch = automaton("cvrp"), pack([instance, instance.with_fleet(3), instance.with_fleet(None)])
    state = machine.reset(batch, 2)
    assert state["stuck"].tolist() == [[True] * 2, [False] * 2, [False] * 2]
    assert machine.done(batch, state).tolist() == state["stuck"].tolist()
    assert machine.mask(batch, state).any(2).tolist() == (~state["stuck"]).tolist()


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_an_instance_does_not_know_its_batch_mates(kind, masked):
    machine = automaton(kind, masked=masked)
    instances = problems.many(kind, count=5, high=6)
    if kind == "cvrp":
        instances += [problems.cvrp(np.random.default_rng(k), 6, fleet=2 + k, capacity=20) for k in range(3)]
    batch = pack(instances)
    actions, _ = problems.rolled(machine, batch, 2, seed=1)
    alone = [pack([one]) for one in instances]
    states = [machine.reset(one, 2) for one in alone]
    together = machine.reset(batch, 2)
    for t in range(actions.shape[2]):
        for b, one in enumerate(alone):
            for name in ("mask", "options", "entity"):
                here, there = getattr(machine, name)(batch, together)[b], getattr(machine, name)(one, states[b])[0]
                width = there.shape[1] - machine.extra_end
                if name == "entity" and kind == "jssp":  # tokens are numbered by the padded length of jobs
                    here = here // batch["time"].shape[2] * one["time"].shape[2] + here % batch["time"].shape[2]
                assert torch.equal(here[:, :width], there[:, :width])
            assert torch.equal(machine.features(batch, together)[b], machine.features(one, states[b])[0])
            if kind != "jssp":
                assert torch.equal(machine.current(batch, together)[b], machine.current(one, states[b])[0])
            act = actions[b, :, t]
            last = machine.action_count(batch) - 1
            act = torch.where(act == last, machine.action_count(one) - 1, act) if machine.extra_end else act
            states[b] = machine.step(one, states[b], act[None])
        together = machine.step(batch, together, actions[:, :, t])
    assert torch.equal(machine.objective(batch, together), torch.cat([machine.objective(o, s) for o, s in zip(alone, states, strict=True)]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_done_or_told_to_wait_stays_as_it_is(kind):
    machine = automaton(kind)
    batch = pack(problems.many(kind, count=6))
    _, state = problems.rolled(machine, batch, 2)
    for action in range(-1, machine.action_count(batch)):
        after = machine.step(batch, state, torch.full_like(state["token"], action))
        assert all(torch.equal(after[name], state[name]) for name in state)
    start = machine.reset(batch, 2)
    after = machine.step(batch, start, torch.full_like(start["token"], -1))
    assert all(torch.equal(after[name], start[name]) for name in start)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_leaves_the_state_it_came_from_alone(kind):
    machine = automaton(kind)
    batch = pack(problems.many(kind, count=6))
    state = machine.reset(batch, 2)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    machine.step(batch, state, machine.mask(batch, state).long().argmax(2))
    assert all(torch.equal(kept[name], state[name]) for name in kept)


@pytest.mark.parametrize("kind", KINDS)
def test_the_current_token_is_what_the_last_action_stood_for(kind):
    machine = automaton(kind)
    batch = pack(problems.many(kind, count=10))
    actions, _ = problems.rolled(machine, batch, 2)
    state = machine.reset(batch, 2)
    assert (machine.current(batch, state) == -1).all()
    for action in actions.unbind(2):
        named = machine.entity(batch, state).gather(2, action.clamp(min=0).unsqueeze(2)).squeeze(2)
        state = machine.step(batch, state, action)
        special = named < 0
        expected = torch.where(special & (kind == "cvrp"), 0, named)  # the vehicle stands at the depot, which is a token
        assert torch.equal(machine.current(batch, state)[action >= 0], expected[action >= 0])


@pytest.mark.parametrize("kind", KINDS)
def test_starts_are_open_first_actions(kind):
    machine = automaton(kind)
    batch = pack(problems.many(kind, count=10))
    starts_BK = machine.starts(batch)
    mask_BA = machine.mask(batch, machine.reset(batch, 1))[:, 0]
    if kind not in ("tsp", "cvrp", "pfsp"):
        assert starts_BK.shape[1] == 0
        return
    for mask, starts in zip(mask_BA, starts_BK, strict=True):
        assert mask.nonzero().flatten().tolist() == [start for start in starts.tolist() if start >= 0]
