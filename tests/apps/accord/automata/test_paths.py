"""All paths of small problems: none ends too early, and the best of them is the optimum (ACCORD brief 9, properties 2 to 4)."""

import numpy as np
import pytest

from apps.accord.automata import automaton
from datamodules.accord.checker import check
from datamodules.accord.instances import MAXIMISED
from tests.apps.accord.automata import problems
from tests.datamodules.accord.brute import optimum

SIZES = {"tsp": 7, "cvrp": 6, "knapsack": 10, "binpack": 8, "pfsp": 6, "jssp": 3}
SEEDS = {"tsp": 2, "cvrp": 2, "knapsack": 6, "binpack": 30, "pfsp": 3, "jssp": 12}


def small(kind, seed):
    g = np.random.default_rng(seed)
    if kind == "jssp":
        return problems.jssp(g, 3, machines=3) if seed % 2 else problems.jssp(g, 3)
    return problems.MAKERS[kind](g, SIZES[kind]) if kind != "knapsack" else problems.knapsack(g, 10, capacity=40)


@pytest.mark.parametrize("kind", SIZES)
def test_the_best_path_is_the_optimum_and_every_path_is_a_plan(kind):
    machine = automaton(kind)
    for seed in range(SEEDS[kind]):
        instance = small(kind, seed)
        objectives, paths, _ = problems.leaves(machine, instance, first=0 if kind == "tsp" else None)
        best = objectives.max() if kind in MAXIMISED else objectives.min()
        assert best == optimum(instance)[0]
        for at in np.random.default_rng(seed).integers(len(paths), size=40):
            report = check(instance, machine.plan(instance, paths[at].tolist()))
            assert report.feasible, report.violations
            assert report.objective == objectives[at]


def test_every_first_node_leads_to_the_same_rounds():
    instance = problems.tsp(np.random.default_rng(3), 6, symmetric=False)
    assert len({int(problems.leaves(automaton("tsp"), instance, first=node)[0].min()) for node in range(6)}) == 1


@pytest.mark.parametrize("options", [{"generator": "semi"}, {"generator": "nondelay"}])
def test_other_schedules_have_no_dead_end_and_semi_active_ones_hold_the_optimum(options):
    for seed in range(4):
        instance = problems.jssp(np.random.default_rng(seed), 3)
        objectives, _, _ = problems.leaves(automaton("jssp", **options), instance)
        best = optimum(instance)[0]
        assert objectives.min() == best if options["generator"] == "semi" else objectives.min() >= best


def test_a_sack_that_may_stop_anywhere_holds_every_plan():
    instance = problems.knapsack(np.random.default_rng(1), 7, capacity=30)
    objectives, paths, _ = problems.leaves(automaton("knapsack", end="free"), instance)
    assert objectives.max() == optimum(instance)[0]
    assert paths[:, 0].min() == 0  # END at once


def test_no_path_of_a_hard_fleet_ends_before_all_are_served():
    machine = automaton("cvrp")
    reached = tight = 0
    for seed in range(40):
        g = np.random.default_rng(seed)
        free = problems.cvrp(g, 5, capacity=12)
        need = next(k for k in range(1, 6) if optimum(free.with_fleet(k))[0] is not None)
        instance = free.with_fleet(need)
        objectives, paths, state = problems.leaves(machine, instance)
        assert not state["stuck"].any()
        assert (state["trips"] < need).all()
        for at in g.integers(len(paths), size=5):
            assert check(instance, machine.plan(instance, paths[at].tolist())).feasible
        reached += int(objectives.min() == optimum(instance)[0])
        tight += int(need * 12 - free.demands.sum() < 4)
    assert tight > 3  # some were hard
    assert reached >= 38  # certificates may cost an optimum; seldom
