"""A repaired plan is feasible; a feasible one is left alone; what is changed is as little as can be, and told."""

from itertools import combinations

import numpy as np
import pytest

from apps.accord.repair import repair
from apps.accord.solver.recipe import RULES
from datamodules.accord.checker import check
from datamodules.accord.instances import KINDS, BinPacking, Knapsack
from datamodules.accord.references import METHODS
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import ALL, job_shop, routes
from tests.datamodules.accord.brute import optimum

SIZES = {"tsp": 15, "cvrp": 15, "knapsack": 15, "binpack": 20, "pfsp": (8, 3), "jssp": (5, 4)}


def corrupted(instance, plan, rng):
    """Things are dropped, doubled and mixed, as in answers of others."""
    rows = [list(row) if isinstance(row, tuple) else row for row in plan]
    if instance.kind == "jssp":
        return [[max(0, start - int(rng.integers(0, 60))) for start in row] for row in rows]
    if instance.kind == "knapsack":
        return [*range(0, instance.size, 2), 3, 3]
    if not isinstance(rows[0], list):
        rows[int(rng.integers(len(rows)))] = rows[0]
        return rows
    first = rows[0].pop()
    rows[-1] += [first, first]
    rows[-1] += rows.pop(0)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_plan_becomes_feasible(kind: str) -> None:
    rng = np.random.default_rng(3)
    for instance in generate(kind, 8, SIZES[kind], seed=4):
        plan = METHODS[kind][RULES[kind]](instance).plan
        broken = corrupted(instance, plan, rng)
        if check(instance, broken).feasible:
            continue
        mended = repair(instance, broken)
        assert mended.plan is not None
        assert check(instance, mended.plan, mended.objective).feasible
        assert mended.changes


@pytest.mark.parametrize("kind", KINDS)
def test_a_feasible_plan_comes_back_as_it_is(kind: str) -> None:
    plan = optimum(ALL[kind])[1]
    mended = repair(ALL[kind], plan)
    assert mended.plan == plan
    assert mended.changes == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", [(), None, "words", (None, 3.5, "x", -1, 99), ((), ((),), (True,)), 7])
def test_whatever_a_plan_holds_it_becomes_one(kind: str, plan: object) -> None:
    mended = repair(ALL[kind], plan)
    assert check(ALL[kind], mended.plan).feasible


def test_of_a_tour_only_what_is_wrong_moves() -> None:
    mended = repair(ALL["tsp"], (0, 1, 2, 2, 3, 4, 6, 7))  # 2 twice, 5 missing
    assert mended.plan is not None
    assert [node for node in mended.plan if node != 5] == [0, 1, 2, 3, 4, 6, 7]
    assert [(one.what, one.where) for one in mended.changes] == [("removed", (2,)), ("added", (5,))]


def test_a_missing_node_comes_in_where_it_costs_least() -> None:
    instance = ALL["tsp"]
    rest = [0, 1, 2, 3, 4, 6, 7]
    lengths = [check(instance, (*rest[:i], 5, *rest[i:])).objective for i in range(1, 8)]
    assert repair(instance, rest).objective == min(lengths)


def test_the_fewest_items_leave_a_knapsack() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        weights, values = rng.integers(1, 20, 9), rng.integers(1, 20, 9)
        instance = Knapsack(values, weights, 40)
        kept = repair(instance, tuple(range(9))).plan
        assert kept is not None
        most = max(size for size in range(10) for some in combinations(range(9), size) if weights[list(some)].sum() <= 40)
        assert len(kept) == most


def test_the_fewest_items_change_their_bin() -> None:
    instance = BinPacking([6, 5, 4, 5, 3, 7, 2], 10)
    mended = repair(instance, ((0, 1, 2), (3, 4, 6), (5,)))  # 15 in the first: one item is enough
    assert [one.what for one in mended.changes] == ["moved"]
    kept = set(map(frozenset, mended.plan or ()))
    assert frozenset((3, 4, 6)) in kept
    assert len(kept & {frozenset((0, 2)), frozenset((1, 2))}) == 1


def test_a_fleet_is_kept_by_repair() -> None:
    instance = routes(fleet=3)
    mended = repair(instance, tuple((customer,) for customer in range(1, 8)))
    assert mended.plan is not None
    assert len(mended.plan) <= 3
    assert check(instance, mended.plan).feasible


def test_no_fleet_that_could_hold_it_gives_no_plan() -> None:
    mended = repair(routes(fleet=2), ((1, 2, 3, 4, 5, 6, 7),))
    assert mended.plan is None
    assert "--fleet" in mended.reason


def test_only_what_must_wait_is_delayed() -> None:
    instance = job_shop()
    good = optimum(instance)[1]
    late = tuple(tuple(start + 100 for start in row) for row in good)  # feasible, if slow
    wrong = [list(row) for row in late]
    wrong[0][2] -= 50  # one operation begins before the one before it ends
    mended = repair(instance, wrong)
    assert mended.plan is not None
    changed = {one.where for one in mended.changes}
    assert changed == {(0, 2)}  # and it pushes none away
    for job, row in enumerate(late):
        for step, start in enumerate(row):
            assert (job, step) in changed or mended.plan[job][step] == start
