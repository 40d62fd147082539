"""Section 9.5: a label becomes actions that the masks allow, and they come to the same objective."""

import numpy as np
import pytest
import torch

from apps.accord.automata import PAD, automaton, trail
from apps.accord.lessons import lesson
from datamodules.accord.checker import check
from datamodules.accord.dataset import Labelled, collate
from datamodules.accord.instances import KINDS, BinPacking, Instance, Knapsack
from datamodules.accord.solution import Plan
from datamodules.accord.synth import generate
from tests.datamodules.accord.test_augmenting import anything

SIZES = {"tsp": 9, "cvrp": 10, "knapsack": 12, "binpack": 12, "pfsp": (6, 3), "jssp": (6, 4)}


def batch_of(pairs: list[tuple[Instance, Plan]]) -> dict[str, torch.Tensor]:
    rows = [Labelled(instance, plan, check(instance, plan).objective or 0, False, i) for i, (instance, plan) in enumerate(pairs)]
    return collate(rows)


def some(kind: str, count: int = 40) -> list[tuple[Instance, Plan]]:
    """Feasible plans, of different sizes in one batch, none of them good."""
    found = []
    for i in range(count):
        size = SIZES[kind]
        smaller = size - 2 * (i % 2) if isinstance(size, int) else (size[0] - i % 2, size[1])
        (instance,) = generate(kind, 1, size if kind == "cvrp" else smaller, seed=5, first=i)
        found.append((instance, anything(instance, np.random.default_rng(i))))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_any_feasible_plan_becomes_allowed_actions_of_no_worse_an_objective(kind: str) -> None:
    pairs = some(kind)
    batch, rules = batch_of(pairs), automaton(kind)
    actions = lesson(rules, batch)
    reached = trail(rules, batch, actions).objective_B  # an action that is not open is an error there
    for (instance, _), row, objective, best in zip(pairs, actions.tolist(), reached.tolist(), batch["best"].tolist(), strict=True):
        report = check(instance, rules.plan(instance, row), objective)
        assert report.feasible
        assert not report.misdeclared
        assert objective >= best if kind == "knapsack" else objective <= best or kind == "jssp"


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "pfsp"])
def test_a_sequence_is_taught_as_it_stands(kind: str) -> None:
    pairs = some(kind, 5)
    rules = automaton(kind)
    for (instance, plan), row in zip(pairs, lesson(rules, batch_of(pairs)).tolist(), strict=True):
        assert rules.plan(instance, row) == plan


def test_a_label_that_is_a_plan_of_the_automaton_comes_back_as_it_was() -> None:
    """Random rollouts are such labels: what they answer must be what is taught."""
    generator = torch.Generator().manual_seed(0)
    for kind in ("knapsack", "binpack", "jssp"):
        instances = generate(kind, 30, SIZES[kind], seed=8)  # pyright: ignore[reportArgumentType]
        rules = automaton(kind)
        empty = batch_of([(instance, anything(instance, np.random.default_rng(0))) for instance in instances])
        state, taken = rules.reset(empty, 1), []
        while not rules.done(empty, state).all():
            mask = rules.mask(empty, state)[:, 0].float()
            action = torch.where(
                mask.any(1), torch.multinomial(mask + 1e-9 * (mask.sum(1, keepdim=True) == 0), 1, generator=generator)[:, 0], PAD
            )
            state = rules.step(empty, state, action[:, None])
            taken.append(action)
        plans = [rules.plan(instance, row) for instance, row in zip(instances, torch.stack(taken, 1).tolist(), strict=True)]
        batch = batch_of(list(zip(instances, plans, strict=True)))
        reached = trail(rules, batch, lesson(rules, batch)).objective_B
        assert torch.equal(reached, batch["best"]), kind


@pytest.mark.parametrize("kind", KINDS)
def test_without_masks_the_same_actions_are_taught_and_then_the_end(kind: str) -> None:
    pairs = some(kind, 12)
    batch, masked, free = batch_of(pairs), automaton(kind), automaton(kind, masked=False)
    actions = lesson(masked, batch, free)
    end = free.action_count(batch) - 1 if kind != "knapsack" else 0
    ours = lesson(masked, batch)
    for row, other in zip(actions.tolist(), ours.tolist(), strict=True):
        said = [action for action in row if action != PAD]
        assert said[-1] == end
        assert said[:-1] == [action for action in other if action != PAD]
    found = trail(free, batch, actions)
    assert torch.equal(found.objective_B, trail(masked, batch, ours).objective_B)
    for (instance, _), row in zip(pairs, actions.tolist(), strict=True):
        assert check(instance, free.plan(instance, row)).feasible


def test_the_items_of_a_plan_are_taught_as_numbered_and_then_the_densest_that_fit() -> None:
    instance = Knapsack(np.array([1, 8, 9, 1, 5]), np.array([1, 4, 3, 1, 1]), 9)
    (row,) = lesson(automaton("knapsack"), batch_of([(instance, (1, 2))])).tolist()
    assert row == [2, 3, 5, 1]


def test_a_bin_that_is_not_filled_takes_what_still_fits() -> None:
    instance = BinPacking(np.array([6, 5, 4, 3]), 10)
    rules = automaton("binpack")
    batch = batch_of([(instance, ((0,), (1,), (2,), (3,)))])
    actions = lesson(rules, batch)
    assert check(instance, rules.plan(instance, actions[0].tolist())).objective == 2
    assert trail(rules, batch, actions).objective_B.tolist() == [2]


def test_items_of_equal_size_may_change_places() -> None:
    instance = BinPacking(np.array([5, 5, 4, 4, 1, 1]), 10)
    rules = automaton("binpack")
    batch = batch_of([(instance, ((0, 3, 5), (1, 2, 4)))])
    plan = rules.plan(instance, lesson(rules, batch)[0].tolist())
    assert check(instance, plan).objective == 2
    assert sorted(sorted(int(instance.weights[item]) for item in items) for items in plan) == [[1, 4, 5], [1, 4, 5]]


def test_steps_that_no_row_takes_are_left_out() -> None:
    for kind in KINDS:
        actions = lesson(automaton(kind), batch_of(some(kind, 6)))
        assert (actions[:, -1] != PAD).any()
