"""The judge accepts what is right, and finds and names every breach: all of them, whatever the plan's shape."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datamodules.accord.checker as checker
from datamodules.accord.checker import check
from datamodules.accord.gaps import gap, gap_to_best, gaps
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, JobShop, Knapsack
from datamodules.accord.synth import SIZES, generate
from tests.datamodules.accord.brute import optimum
from tests.datamodules.accord.plans import random_plan

SMALL = {"tsp": 6, "cvrp": 6, "knapsack": 8, "binpack": 6, "pfsp": (5, 3), "jssp": (3, 3)}
SHOP = JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4))), machines=2)
RUN = ((0, 3), (0, 3))  # its optimum, 7


def codes(report):
    return sorted({violation.code for violation in report.violations})


def only(report):
    (violation,) = report.violations
    return violation.code, violation.where, violation.amount


@pytest.mark.parametrize("kind", KINDS)
def test_optima_found_by_enumeration_are_accepted_with_their_objective(kind):
    for instance in generate(kind, 5, SMALL[kind], seed=3):
        best, plan = optimum(instance)
        report = check(instance, plan, declared=best)
        assert report.feasible
        assert report.objective == best
        assert not report.violations
        assert not report.misdeclared


def test_the_judge_imports_the_definitions_and_nothing_else():
    """Neither automata nor model nor torch; gaps only names the distance to the best known, and imports instances alone."""
    folder = Path(checker.__file__).parent
    allowed = {f"datamodules.accord.{name}" for name in ("instances", "solution", "errors", "gaps")}
    standard = {"collections", "itertools", "collections.abc", "dataclasses", "typing", "math", "datamodules.accord.checker"}
    for path in [*folder.glob("*.py"), folder.parent / "gaps.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name in allowed | standard or name.startswith("datamodules.accord.checker."), f"{path.name} imports {name}"


# --- every seeded corruption is found and named


def dropped(plan, kind):
    """Without the last decision."""
    if kind in ("cvrp", "binpack", "jssp"):
        return (*plan[:-1], plan[-1][:-1])
    return plan[:-1]


def doubled(plan, kind):
    """With the first decision once more."""
    if kind in ("cvrp", "binpack"):
        return ((*plan[0], plan[0][0]), *plan[1:])
    return ((*plan[0], 10**9), *plan[1:]) if kind == "jssp" else (*plan, plan[0])


def strange(plan, kind):
    """With an id that does not exist."""
    if kind in ("cvrp", "binpack"):
        return (*plan, (10**6,))
    return (*plan, (0,)) if kind == "jssp" else (*plan, 10**6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_any_feasible_plan_is_accepted_and_any_corruption_of_it_is_named(kind, seed):
    instance = generate(kind, 1, SIZES["tiny"][kind], seed=seed)[0]
    plan = random_plan(instance, seed)
    assert check(instance, plan).feasible
    assert codes(check(instance, dropped(plan, kind))) == ([] if kind == "knapsack" else ["missing"])
    assert "repeated" in codes(check(instance, doubled(plan, kind)))
    assert codes(check(instance, strange(plan, kind))) == ["unknown"]


@pytest.mark.parametrize("seed", range(6))
def test_moving_any_operation_one_back_is_seen_unless_there_was_a_pause(seed):
    (instance,) = generate("jssp", 1, (4, 3), seed=seed)
    plan = random_plan(instance, seed)
    ends = {start + time for starts, job in zip(plan, instance.jobs, strict=True) for start, (_, time) in zip(starts, job, strict=True)}
    for job, starts in enumerate(plan):
        for operation, start in enumerate(starts):
            moved = tuple(tuple(s - (j == job and o == operation) for o, s in enumerate(row)) for j, row in enumerate(plan))
            report = check(instance, moved)
            if start == 0:
                assert codes(report) == ["negative"]
            elif start not in ends:
                assert report.feasible
            else:
                assert set(codes(report)) <= {"order", "overlap"}
                assert all(violation.amount == 1 for violation in report.violations)


def test_a_tour_that_leaves_a_node_out_or_visits_it_twice():
    instance = TSP([[0, 1, 2, 4], [1, 0, 3, 5], [2, 3, 0, 6], [4, 5, 6, 0]])
    assert check(instance, (0, 1, 2, 3)).objective == 1 + 3 + 6 + 4
    assert only(check(instance, (0, 1, 3))) == ("missing", (2,), None)
    twice = check(instance, (0, 1, 1, 3))
    assert codes(twice) == ["missing", "repeated"]
    assert not twice.feasible
    assert only(check(instance, (0, 1, 2, 3, 2))) == ("repeated", (2,), 1)
    assert codes(check(instance, (0, 1, 2, 4))) == ["missing", "unknown"]
    assert codes(check(instance, (0, 1, 2, -1))) == ["missing", "unknown"], "-1 is no node, though a list would have it"


def test_a_route_may_hold_the_capacity_and_not_one_more():
    line = np.abs(np.arange(4)[:, None] - np.arange(4)[None])
    instance = CVRP(line, [0, 2, 3, 5], 5, fleet=2)
    good = check(instance, ((1, 2), (3,)))
    assert (good.feasible, good.objective, good.used) == (True, 4 + 6, 2)
    assert only(check(CVRP(line, [0, 3, 3, 5], 5), ((1, 2), (3,)))) == ("overload", (0,), 1)


def test_customers_are_counted_and_not_only_collected():
    instance = CVRP(np.ones((4, 4), int), [0, 1, 1, 1], 9)
    assert only(check(instance, ((1, 2), (2, 3)))) == ("repeated", (2,), 1)
    assert only(check(instance, ((1,), (3,)))) == ("missing", (2,), None)


def test_more_routes_than_vehicles_are_named_and_vehicles_at_home_do_not_count():
    instance = CVRP(np.ones((4, 4), int), [0, 1, 1, 1], 9, fleet=2)
    report = check(instance, ((1,), (2,), (3,)))
    assert only(report) == ("fleet", (), 1)
    assert report.used == 3
    assert check(instance, ((1, 2), (), (3,))).used == 2
    assert check(instance, ((1, 2), (), (3,))).feasible
    assert check(instance.with_fleet(None), ((1,), (2,), (3,))).feasible


def test_the_depot_inside_a_route_is_no_second_vehicle():
    instance = CVRP(np.ones((3, 3), int), [0, 5, 5], 5)
    report = check(instance, ((1, 0, 2),))
    assert codes(report) == ["depot", "overload"]
    assert report.objective is None


def test_a_knapsack_one_too_heavy_and_an_item_taken_twice():
    instance = Knapsack([6, 5, 9, 2], [4, 3, 7, 3], 10)
    assert check(instance, (1, 2)).objective == 14
    assert only(check(instance, (0, 2))) == ("overload", (), 1)
    assert only(check(instance, (1, 1))) == ("repeated", (1,), 1)
    assert only(check(instance, (1, 4))) == ("unknown", (4,), None)
    assert check(instance, ()).feasible


def test_a_pair_that_is_no_item_and_a_pair_named_too_often():
    instance = Knapsack([6, 5, 5], [4, 3, 3], 20)
    assert only(check(instance, (0, (6, 4)))) == ("repeated", (6, 4), 1)
    assert only(check(instance, (0, (5, 4)))) == ("unknown", (5, 4), None)


def test_a_bin_one_too_full_an_item_in_two_bins_and_one_in_none():
    instance = BinPacking([6, 5, 4, 5], 10)
    assert check(instance, ((0, 2), (1, 3))).objective == 2
    assert only(check(instance, ((0, 1), (2, 3)))) == ("overload", (0,), 1)
    assert only(check(instance, ((0, 2), (1, 3), (2,)))) == ("repeated", (2,), 1)
    assert only(check(instance, ((0, 2), (1,)))) == ("missing", (3,), None)
    assert check(instance, ((0, 2), (), (1, 3))).used == 2


def test_a_job_in_place_of_another_is_seen():
    """The release's flow shop check lets this pass, and believes the makespan it is told."""
    instance = FlowShop([[2, 3], [1, 4], [5, 1]])
    report = check(instance, (1, 1, 0), declared=1)
    assert codes(report) == ["missing", "repeated"]
    assert check(instance, (1, 0, 2)).objective == 9
    assert check(instance, (1, 0, 2), declared=1).misdeclared


def test_every_breach_of_a_schedule():
    assert check(SHOP, RUN).objective == 7
    assert only(check(SHOP, ((0, 3), (0, 2)))) == ("overlap", (0, 0, 0, 1, 1), 1), "overlap by one"
    assert only(check(SHOP, ((0, 2), (0, 3)))) == ("order", (0, 1), 1)
    assert only(check(SHOP, ((-1, 3), (0, 3)))) == ("negative", (0, 0), 1)
    assert only(check(SHOP, ((0,), (0, 3)))) == ("missing", (0, 1), None)
    assert only(check(SHOP, ((0, 3, 9), (0, 3)))) == ("repeated", (0, 2), 1)
    assert only(check(SHOP, ((0, 3),))) == ("missing", (1,), None)
    assert only(check(SHOP, (*RUN, (0,)))) == ("unknown", (2,), None)


def test_what_a_text_states_of_an_operation_is_held_against_the_instance():
    good = (((0, 0, 3), (1, 3, 2)), ((1, 0, 2), (0, 3, 4)))
    assert check(SHOP, good) == check(SHOP, RUN)
    assert only(check(SHOP, (((1, 0, 3), (1, 3, 2)), good[1]))) == ("machine", (0, 0, 1), None)
    assert only(check(SHOP, (good[0], ((1, 0, 2), (0, 3, 1))))) == ("duration", (1, 1), 3)
    assert only(check(SHOP, ((0, None), (0, 3)))) == ("missing", (0, 1), None)


def test_operations_of_no_length_may_stand_anywhere_but_inside_another():
    instance = JobShop((((0, 4),), ((0, 0),), ((0, 0),)), machines=1)
    assert check(instance, ((0,), (0,), (0,))).feasible
    assert check(instance, ((0,), (4,), (9,))).feasible
    assert only(check(instance, ((0,), (2,), (4,))))[:2] == ("overlap", (0, 0, 0, 1, 0))


def test_all_breaches_are_listed_and_not_only_the_first():
    instance = CVRP(np.ones((6, 6), int), [0, 4, 4, 4, 4, 4], 6, fleet=1)
    report = check(instance, ((1, 2), (3, 3), (9, "x"), 4))
    assert codes(report) == ["fleet", "missing", "overload", "repeated", "shape", "type", "unknown"]
    assert [v.where for v in report.violations if v.code == "missing"] == [(4,), (5,)]
    assert [v.where for v in report.violations if v.code == "overload"] == [(0,), (1,)]
    assert all(violation.code in checker.CODES for violation in report.violations)


# --- declared values, gaps, the two renderings


def test_a_wrong_declared_objective_is_reported_and_changes_nothing():
    honest, liar = check(SHOP, RUN, declared=7), check(SHOP, RUN, declared=5)
    assert honest.objective == liar.objective == 7
    assert liar.feasible
    assert liar.misdeclared
    assert not honest.misdeclared
    assert "declared: 5, which is wrong" in str(liar)


def test_a_gap_is_given_only_against_a_value_of_the_same_fleet_rule():
    named = CVRP(np.ones((3, 3), int), [0, 1, 1], 5, named_fleet=2, best=4)
    plan = ((1,), (2,))
    assert check(named, plan).gap is None
    assert any("2 vehicles" in note for note in check(named, plan).notes)
    assert check(named.with_fleet(2), plan).gap == 0.0
    assert check(named.with_fleet(3), plan).gap is None
    assert check(CVRP(named.distances, named.demands, 5, best=2), plan).gap == 100.0
    assert check(named.with_fleet(2), ((1,),)).gap is None, "what is not feasible has no gap"


def test_gaps_are_signed_and_turn_round_where_more_is_better():
    tour, sack = TSP([[0]], best=0), Knapsack([1], [1], 1)
    assert gap(tour, 105, 100) == 5.0
    assert gap(tour, 95, 100) == -5.0
    assert gap(sack, 95, 100) == 5.0
    assert gap(tour, 0, 0) == 0.0
    assert gap(tour, 1, 0) == float("inf")
    assert gap_to_best(tour, 0) == 0.0
    assert gap_to_best(sack, 1) is None


def test_both_averages_are_given_and_infeasible_answers_are_counted():
    tours = [TSP([[0]])] * 3
    result = gaps(tours, [110, 220, None], [100, 100, 100], fallbacks=[0, 0, 130])
    assert (result.count, round(result.feasible, 3)) == (3, 0.667)
    assert result.mean == pytest.approx(65.0)
    assert result.of_means == pytest.approx(65.0)
    assert result.with_fallback == pytest.approx((10 + 120 + 30) / 3)
    uneven = gaps(tours[:2], [110, 2000], [100, 2000])
    assert uneven.mean == pytest.approx(5.0)
    assert uneven.of_means == pytest.approx(100 * 10 / 2100)
    assert np.isnan(gaps(tours[:1], [None], [1]).mean)


def test_a_report_is_lines_for_people_and_a_dict_for_json():
    report = check(CVRP(np.ones((3, 3), int), [0, 3, 3], 5), ((1, 2),), declared=3)
    assert report.lines()[0] == "cvrp: not feasible, 1 violation"
    assert "overload: route 0 carries 6, 1 more than 5" in str(report)
    assert "vehicles used: 1" in str(report)
    back = json.loads(json.dumps(report.to_dict()))
    assert back["violations"] == [{"code": "overload", "where": [0], "amount": 1, "says": "route 0 carries 6, 1 more than 5"}]
    assert back["feasible"] is False


# --- a plan of any shape

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 9),
        st.integers(),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=2),
        st.builds(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.lists(inner, max_size=5).map(tuple), st.dictionaries(st.text(max_size=1), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(plan=anything)
def test_no_plan_of_any_shape_breaks_the_judge(kind, plan):
    instance = generate(kind, 1, {"pfsp": (2, 2), "jssp": (2, 2), "cvrp": 6}.get(kind, 3))[0]
    report = check(instance, plan)
    assert report.feasible == (not report.violations)
    json.dumps(report.to_dict(), default=str)
    assert report.lines()
    if report.feasible:
        assert isinstance(report.objective, int)


@pytest.mark.parametrize("wrong", [True, 1.0, "1", None, np.float64(1.0), np.bool_(True), np.array([1, 2])])
def test_only_whole_numbers_are_ids(wrong):
    report = check(TSP([[0, 1], [1, 0]]), [0, wrong])
    assert "type" in codes(report)


def test_arrays_are_plans_too():
    instance = TSP([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    assert check(instance, np.array([2, 0, 1])).feasible
    assert check(instance, [np.int64(2), np.int32(0), 1]).feasible
    assert check(SHOP, np.array(RUN)).feasible


def test_a_plan_that_holds_itself_is_no_trap():
    plan = [0]
    plan.append(plan)
    assert not check(TSP([[0, 1], [1, 0]]), plan).feasible


# --- degenerate instances


def test_small_and_empty_instances():
    assert check(TSP([[0]]), (0,)).objective == 0
    assert check(TSP([[9999]]), (0,)).objective == 0
    assert check(TSP([[0, 3], [4, 0]]), (1, 0)).objective == 7
    assert check(CVRP([[0]], [0], 3), ()).feasible
    assert check(Knapsack([5], [1], 0), ()).objective == 0
    assert check(BinPacking([], 3), ()).objective == 0
    assert check(BinPacking([0, 0], 0), ((0, 1),)).objective == 1
    assert check(FlowShop([[0]]), (0,)).objective == 0


def test_sums_near_the_limit_are_exact():
    huge = (1 << 60) - 1
    assert check(TSP([[0, huge], [huge, 0]]), (0, 1)).objective == 2 * huge
    assert check(Knapsack([huge, huge - 2], [1, 1], 2), (0, 1)).objective == 2 * huge - 2
