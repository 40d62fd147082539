"""Without masks: everything can be said, and what breaks a rule is known (ACCORD brief 2.4.3; 9, property 20)."""

import numpy as np
import pytest
import torch

from apps.accord.automata import RULES, automaton, replayed
from datamodules.accord.checker import check
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.packs import pack
from tests.apps.accord.automata import problems
from tests.apps.accord.automata.test_replay import random_plan


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_is_broken_exactly_where_the_checker_finds_something(kind):
    machine, masked, g = automaton(kind, masked=False), automaton(kind), np.random.default_rng(0)
    instances = problems.many(kind, count=40, high=5)
    if kind == "cvrp":
        instances += [problems.cvrp(g, 3, fleet=2, capacity=15) for _ in range(20)]
    batch = pack(instances)
    said = [problems.rolled(machine, batch, 30)]
    # A masked rollout with END behind it, and the same with one action changed: nearly right.
    for spoiled in (False, True):
        actions, _ = problems.rolled(masked, batch, 10)
        end = torch.full_like(actions[:, :, :1], machine.action_count(batch) - 1 if machine.extra_end else 0)
        actions = torch.cat([actions, end], 2)
        if spoiled and actions.shape[2] > 1:
            place = torch.randint(actions.shape[2] - 1, actions.shape[:2]).unsqueeze(2)
            open_BSA = machine.mask(batch, machine.reset(batch, 10))
            other = torch.rand(open_BSA.shape).masked_fill(~open_BSA, -1).argmax(2, keepdim=True)
            actions = actions.scatter(2, place, torch.where(actions.gather(2, place) >= 0, other, -1))
        state = machine.reset(batch, 10)
        for action in actions.unbind(2):
            state = machine.step(batch, state, action)
        said.append((actions, state))
    seen = set()
    for actions, state in said:
        for b, instance in enumerate(instances):
            for s in range(actions.shape[1]):
                row = actions[b, s].tolist()
                report = check(instance, machine.plan(instance, row[: _heard(machine, batch, row)]))
                assert report.feasible == (not state["broken"][b, s]), (instance, row, report.violations)
                if report.feasible:
                    assert report.objective == machine.objective(batch, state)[b, s]
                seen.add(RULES[int(state["rule"][b, s])])
    possible = {"knapsack": {"kept", "repeated", "capacity"}, "binpack": set(RULES) - {"fleet"}, "cvrp": set(RULES)}
    assert seen == possible.get(kind, {"kept", "repeated", "unfinished"})


def _heard(machine, batch, row):
    """Actions up to END: what comes after is not said."""
    end = machine.action_count(batch) - 1 if machine.extra_end else 0
    return row.index(end) if end in row else len(row)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_exists_is_open_at_each_step_until_the_end(kind):
    machine = automaton(kind, masked=False)
    instances = problems.many(kind, count=10, low=2, high=4)
    batch = pack(instances)
    state = machine.reset(batch, 3)
    first = machine.mask(batch, state)
    offered = {
        "knapsack": lambda one: 1 + int((one.weights > 0).sum()),
        "binpack": lambda one: 2 + int((one.weights > 0).sum()),
        "cvrp": lambda one: one.size + 2,
    }
    for b, one in enumerate(instances):
        assert first[b].sum(1).tolist() == [offered.get(kind, lambda one: one.size + 1)(one)] * 3
    for _ in range(machine.longest(batch)):
        mask = machine.mask(batch, state)
        assert torch.equal(mask, first & ~machine.done(batch, state).unsqueeze(2))
        state = machine.step(batch, state, torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1))
    assert machine.done(batch, state).all()
    assert (state["steps"] <= state["limit"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_with_end_breaks_nothing(kind):
    machine, g = automaton(kind, masked=False), np.random.default_rng(1)
    instances = problems.many(kind, count=20)
    plans = [random_plan(kind, one, g) for one in instances]
    batch = pack(instances)
    state = problems.followed(machine, batch, replayed(machine, batch, instances, plans))
    assert not state["broken"].any()
    assert state["ended"].all()


CASES = [
    (TSP(np.ones((3, 3))), [0, 1, 0, 3], "repeated", 2, 0),
    (TSP(np.ones((3, 3))), [0, 1, 3], "unfinished", 2, 3),
    (CVRP(np.ones((4, 4)), [0, 2, 2, 2], 4), [1, 2, 3, 4], "capacity", 2, 3),
    (CVRP(np.ones((4, 4)), [0, 2, 2, 2], 4, fleet=1), [1, 2, 0, 0, 3, 4], "fleet", 4, 3),
    (Knapsack([1, 1], [3, 3], 5), [1, 2, 0], "capacity", 1, 2),
    (BinPacking([3, 3], 5), [1, 0, 0, 1, 3], "repeated", 3, 1),
    (FlowShop([[1], [1]]), [0, 0, 2], "repeated", 1, 0),
    (JobShop((((0, 1),), ((0, 1), (0, 1))), 1), [1, 1, 1], "repeated", 2, 1),
]


@pytest.mark.parametrize(("instance", "actions", "rule", "when", "which"), CASES)
def test_the_first_breach_is_kept_with_its_rule_its_step_and_its_action(instance, actions, rule, when, which):
    machine = automaton(instance.kind, masked=False)
    batch = pack([instance])
    state = machine.reset(batch, 1)
    for action in [*actions, actions[-1]]:
        state = machine.step(batch, state, torch.tensor([[action]]))
    assert state["broken"].item()
    assert (RULES[state["rule"].item()], state["when"].item(), state["which"].item()) == (rule, when, which)


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_breach_only_the_clock_and_the_last_token_move_on(kind):
    machine, g = automaton(kind, masked=False), np.random.default_rng(0)
    batch = pack([problems.MAKERS[kind](g, 6) for _ in range(8)])
    state = machine.reset(batch, 20)
    for _ in range(machine.longest(batch)):
        mask = machine.mask(batch, state)
        action = torch.rand(mask.shape).masked_fill(~mask, -1).argmax(2).masked_fill(~mask.any(2), -1)
        after = machine.step(batch, state, action)
        for name in set(state) - {"steps", "token", "ended"}:
            assert torch.equal(after[name][state["broken"]], state[name][state["broken"]])
        state = after
    assert state["broken"].any()


def test_a_rollout_that_never_ends_is_stopped_at_twice_the_longest_plan():
    machine, batch = automaton("cvrp", masked=False), pack([CVRP(np.ones((3, 3)), [0, 1, 1], 2)])
    state = machine.reset(batch, 1)
    for _ in range(machine.longest(batch)):
        assert not machine.done(batch, state)
        state = machine.step(batch, state, torch.zeros(1, 1, dtype=torch.int64))  # the depot, again and again
    assert machine.done(batch, state)
    assert RULES[state["rule"].item()] == "unfinished"
