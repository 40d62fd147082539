"""What every reference method promises, whatever its kind."""

import time

import pytest

from datamodules.accord.checker import check
from datamodules.accord.errors import UnsupportedError
from datamodules.accord.instances import CVRP, MAXIMISED
from datamodules.accord.references import METHODS, improve
from datamodules.accord.references.solvers import has_solvers
from tests.datamodules.accord.references.made import KINDS, best, degenerate, drawn, larger

SOLVERS = ("cpsat", "routing")
PAIRS = [(kind, name) for kind, methods in METHODS.items() for name in methods if name not in SOLVERS]
PROVERS = [(kind, name) for kind, names in {
    "tsp": ("held_karp", "cuts", "exact"), "cvrp": ("dp", "exact"), "knapsack": ("dp", "dominance", "core", "exact"),
    "binpack": ("exact",), "pfsp": ("exact",), "jssp": ("exact",),
}.items() for name in names]  # fmt: skip
SEARCHES = [(kind, "local") for kind in METHODS]
needs_solvers = pytest.mark.skipif(not has_solvers(), reason="OR-Tools is not installed")


def sound(instance, solution) -> None:
    """The checker accepts it, and every number in it agrees with the others."""
    if solution.plan is None:
        assert solution.objective is None
        assert solution.status in ("infeasible", "unknown")
        assert solution.reason
        return
    report = check(instance, solution.plan)
    assert report.feasible, report
    assert report.objective == solution.objective
    sign = -1 if instance.kind in MAXIMISED else 1
    assert solution.bound is None or sign * solution.bound <= sign * solution.objective
    assert (solution.status == "optimal") == (solution.bound == solution.objective)
    values = [sign * value for _, value, _ in solution.trace]
    assert values == sorted(set(values), reverse=True)
    assert sign * values[-1] == solution.objective


def agrees(instance, solution, optimum) -> None:
    """Nothing beats the optimum; what claims it has it; no bound cuts it off."""
    sign = -1 if instance.kind in MAXIMISED else 1
    if solution.status == "infeasible":
        assert optimum is None
    if solution.status == "optimal":
        assert solution.objective == optimum
    if solution.objective is not None:
        assert optimum is not None
        assert sign * solution.objective >= sign * optimum
        assert solution.bound is None or sign * solution.bound <= sign * optimum


def test_every_kind_has_an_exact_method_and_a_local_search():
    assert set(METHODS) == set(KINDS)
    assert all({"exact", "local", "cpsat"} <= set(methods) for methods in METHODS.values())


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_plans_are_sound_and_never_beat_brute_force(kind, name):
    for seed in range(6):
        instance = drawn(kind, seed)
        solution = METHODS[kind][name](instance, seed=seed)
        sound(instance, solution)
        agrees(instance, solution, best(instance))


@pytest.mark.parametrize(("kind", "name"), PROVERS)
def test_exact_methods_prove_the_optimum_of_brute_force(kind, name):
    for seed in range(6, 14):
        instance = drawn(kind, seed)
        solution = METHODS[kind][name](instance)
        assert solution.status in ("optimal", "infeasible")
        agrees(instance, solution, best(instance))


@needs_solvers
@pytest.mark.parametrize("kind", KINDS)
def test_cp_sat_proves_the_optimum_of_brute_force(kind):
    for seed in range(4):
        instance = drawn(kind, seed)
        solution = METHODS[kind]["cpsat"](instance)
        sound(instance, solution)
        assert solution.status in ("optimal", "infeasible")
        agrees(instance, solution, best(instance))


@needs_solvers
@pytest.mark.parametrize("kind", ["tsp", "cvrp"])
def test_routing_gives_sound_plans_and_begins_at_the_plan_given(kind):
    for instance in (drawn(kind, 1), drawn(kind, 2), larger(kind)):
        solution = METHODS[kind]["routing"](instance)
        sound(instance, solution)
        start = METHODS[kind]["nearest" if kind == "tsp" else "savings"](instance).plan
        if start is not None:
            again = METHODS[kind]["routing"](instance, start=start)
            sound(instance, again)


@pytest.mark.parametrize("instance", degenerate(), ids=lambda one: f"{one.kind}-{one.size}")
def test_degenerate_instances_are_solved_by_every_method(instance):
    values = {}
    for name, method in METHODS[instance.kind].items():
        if name not in SOLVERS or has_solvers():
            solution = method(instance)
            sound(instance, solution)
            values[name] = solution
    assert values["exact"].status == "optimal"
    assert all(values["exact"].objective == values[name].objective for name in ("local", "exact"))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_worse_than_the_start_is_given_back(kind):
    instance = larger(kind)
    start = METHODS[kind]["local"](instance, deadline=time.monotonic() + 0.3).plan
    reference = check(instance, start).objective or 0
    sign = -1 if kind in MAXIMISED else 1
    for name, method in METHODS[kind].items():
        if name in SOLVERS:
            continue
        try:
            solution = method(instance, deadline=time.monotonic(), start=start)
        except UnsupportedError:  # too large for it
            continue
        sound(instance, solution)
        assert sign * (solution.objective or 0) <= sign * reference, name


@pytest.mark.parametrize(("kind", "name"), SEARCHES)
def test_the_same_seed_gives_the_same_answer(kind, name):
    instance = drawn(kind, 3)
    one, two = (METHODS[kind][name](instance, seed=5) for _ in range(2))
    assert one.plan == two.plan


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_that_has_passed_still_leaves_the_rule_s_plan(kind):
    instance = larger(kind)
    for name in ("local", "exact"):
        solution = METHODS[kind][name](instance, deadline=time.monotonic())
        sound(instance, solution)
        assert solution.plan is not None


@pytest.mark.parametrize(("kind", "name"), [*SEARCHES, *((kind, "exact") for kind in KINDS)])
def test_better_plans_are_reported_as_they_are_found(kind, name):
    instance, seen = larger(kind), []
    solution = METHODS[kind][name](instance, deadline=time.monotonic() + 0.3, found=lambda plan, value: seen.append((plan, value)))
    assert seen[-1] == (solution.plan, solution.objective)
    assert [value for _, value in seen] == [value for _, value, _ in solution.trace]
    assert all(check(instance, plan).objective == value for plan, value in seen)


@pytest.mark.parametrize("kind", KINDS)
def test_improve_ends_at_a_local_optimum_and_is_never_worse(kind):
    rule = {"tsp": "nearest", "cvrp": "savings", "knapsack": "density", "binpack": "ffd", "pfsp": "neh", "jssp": "spt"}[kind]
    instance = larger(kind)
    start = METHODS[kind][rule](instance)
    seen = []
    plan = improve(instance, start.plan, None, 0, lambda plan, value: seen.append(value))
    assert improve(instance, plan, None, 0) == plan
    reached = check(instance, plan).objective
    assert reached == (seen[-1] if seen else start.objective)
    sign = -1 if kind in MAXIMISED else 1
    assert sign * reached <= sign * start.objective


@pytest.mark.parametrize("kind", ["tsp", "cvrp", "pfsp", "jssp"])
def test_local_search_beats_every_rule(kind):
    rules = {"tsp": ("nearest", "greedy_edge"), "cvrp": ("savings",), "pfsp": ("neh",), "jssp": ("rules",)}[kind]
    instance = larger(kind)
    found = METHODS[kind]["local"](instance, deadline=time.monotonic() + 0.7).objective
    assert all(found < METHODS[kind][rule](instance).objective for rule in rules)


def test_a_fleet_that_cannot_hold_the_demands_is_infeasible_with_a_reason():
    instance = CVRP([[0, 1, 1, 1]] * 4, [0, 6, 6, 6], 10, fleet=2)
    for name in ("savings", "local", "dp", "exact"):
        solution = METHODS["cvrp"][name](instance)
        assert solution.status == "infeasible"
        assert "2 vehicles" in solution.reason


def test_a_fleet_that_only_a_full_packing_holds_is_served():
    demands = [0, 40, 20, 40, 55, 45, 33, 33, 34, 60, 30, 10]  # four full vehicles of 100
    instance = CVRP(larger("cvrp").distances[:12, :12], demands, 100, fleet=4)
    for name in ("savings", "local", "exact"):
        solution = METHODS["cvrp"][name](instance, deadline=time.monotonic() + 1)
        sound(instance, solution)
        assert solution.plan is not None
        assert len(solution.plan) == 4


def test_methods_for_small_instances_say_so_of_large_ones():
    for kind, name, other in (("tsp", "held_karp", "cpsat"), ("cvrp", "dp", "local")):
        with pytest.raises(UnsupportedError, match=rf"it holds \d+ at most.*{other}"):
            METHODS[kind][name](larger(kind))


def test_without_or_tools_its_methods_name_the_extra_and_exact_goes_on(monkeypatch):
    import sys

    from datamodules.errors import MissingDependencyError

    for name in ("ortools", "ortools.sat.python", "ortools.constraint_solver"):
        monkeypatch.setitem(sys.modules, name, None)
    for kind, name in (("tsp", "cpsat"), ("cvrp", "routing"), ("jssp", "cpsat")):
        with pytest.raises(MissingDependencyError, match=r"discern\[solvers\]"):
            METHODS[kind][name](larger(kind))
    for kind in KINDS:
        for seed in range(3):
            instance = drawn(kind, seed)
            solution = METHODS[kind]["exact"](instance)
            agrees(instance, solution, best(instance))
            assert solution.status in ("optimal", "infeasible")
