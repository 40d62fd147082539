"""What the solver promises, whichever method it runs: feasible, never worse than its start, in time, the same for the same seed."""

import threading

import pytest

from apps.accord.numbers import better
from apps.accord.solver import Solver
from apps.accord.solver import portfolio as portfolio_module
from apps.accord.solver.asked import known_methods
from apps.accord.solver.interrupt import Stop
from apps.accord.solver.recipe import MODEL, RECIPES, RULES
from apps.base.errors import UserError
from datamodules.accord.checker import check
from datamodules.accord.instances import KINDS
from datamodules.accord.references import METHODS
from datamodules.accord.solution import Solution
from datamodules.accord.synth import generate
from tests.apps.accord.solver.small import ALL, places, routes
from tests.datamodules.accord.brute import optimum


def endless(instance, *, deadline=None, seed=0, start=None, found=None):
    """A method that keeps no deadline."""
    while True:
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_small_instances_are_solved_to_their_optimum(kind: str) -> None:
    answer = Solver().solve([ALL[kind]])[0]
    assert answer.objective == optimum(ALL[kind])[0]
    report = check(ALL[kind], answer.plan, answer.objective)
    assert report.feasible
    assert not report.misdeclared


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_plan(kind: str) -> None:
    first, second = (Solver().solve([ALL[kind]], seed=5)[0] for _ in range(2))
    assert (first.plan, first.status, first.bound, first.source) == (second.plan, second.status, second.bound, second.source)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_of_the_trace_is_better_and_later(kind: str) -> None:
    size = {"pfsp": (8, 4), "jssp": (5, 4)}.get(kind, 15)
    answer = Solver().solve(generate(kind, 1, size), time_limit=0.4)[0]
    for before, after in zip(answer.trace, answer.trace[1:], strict=False):
        assert better(kind, after[1], before[1])
        assert after[0] >= before[0]
    assert answer.trace[-1][1] == answer.objective


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["portfolio", "heuristic", "rule"])
def test_the_answer_is_never_worse_than_the_start(kind: str, method: str) -> None:
    instance = ALL[kind]
    start = optimum(instance)[1]
    answer = Solver().solve([instance], RULES[kind] if method == "rule" else method, start=start)[0]
    assert answer.objective == check(instance, start).objective
    assert answer.source == "start"


def test_a_start_that_breaks_a_rule_is_refused_and_points_to_repair() -> None:
    with pytest.raises(UserError, match=r"breaks 2 rules.*repair"):
        Solver().solve([places()], start=(0, 1, 2, 3, 4, 5, 6, 6))


def test_the_time_is_over_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a method does: the first answer is given."""
    monkeypatch.setitem(METHODS["tsp"], "local", endless)
    monkeypatch.setitem(METHODS["tsp"], "held_karp", endless)
    monkeypatch.setattr(portfolio_module, "bound", lambda instance: None)
    monkeypatch.setattr("apps.accord.source.has_starter", lambda: False)
    answer = Solver().solve([places()], time_limit=0.3)[0]
    assert answer.status == "feasible"
    assert answer.source == RULES["tsp"]


def test_a_method_that_was_left_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told = set[threading.Thread]()
    monkeypatch.setattr("apps.accord.solver.watched.abandoned", told)
    monkeypatch.setitem(METHODS["tsp"], "local", endless)
    Solver().solve([generate("tsp", 1, 30)[0]], "local", time_limit=0.1)
    left = [thread for thread in threading.enumerate() if thread.name == "accord"]
    assert [thread.name for thread in told] == ["accord"]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_no_answer_in_time_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS["tsp"], "nearest", endless)
    answer = Solver().solve([places()], time_limit=0.1)[0]
    assert (answer.status, answer.plan) == ("unknown", None)


def test_asked_to_stop_it_gives_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()

    def asks(instance, *, deadline=None, seed=0, start=None, found=None):
        stop.asked.set()
        return endless(instance)

    monkeypatch.setitem(METHODS["tsp"], "local", asks)
    monkeypatch.setitem(METHODS["tsp"], "held_karp", asks)
    monkeypatch.setattr(portfolio_module, "bound", lambda instance: None)
    first, second = Solver().solve([places(), places()], time_limit=60.0, stop=stop)
    assert first.status == "feasible"
    assert (second.status, second.reason) == ("unknown", "stopped before its turn")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["exact", "local"])
def test_a_method_that_is_cut_leaves_a_bound_beside_its_answer(kind: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, stop = METHODS[kind][RULES[kind]], Stop()

    def finds_and_never_ends(instance, *, deadline=None, seed=0, start=None, found=None):
        rule(instance, found=found)
        stop.asked.set()
        return endless(instance)

    monkeypatch.setitem(METHODS[kind], method, finds_and_never_ends)
    size = {"pfsp": (8, 4), "jssp": (5, 4)}.get(kind, 20)
    (answer,) = Solver().solve(generate(kind, 1, size), method, stop=stop)
    assert answer.plan is not None
    assert answer.bound is not None


def test_what_goes_wrong_inside_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setitem(METHODS["tsp"], "nearest", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        Solver().solve([places()])


def test_a_proven_answer_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate("binpack", 1, 20)[0]
    monkeypatch.setitem(METHODS["binpack"], "local", endless)
    answer = Solver().solve([instance])[0]  # without a limit a search that does not end would hang here
    assert answer.status == "optimal"


def test_a_fleet_that_cannot_be_is_never_served() -> None:
    answer = Solver().solve([routes(fleet=2)], time_limit=0.5)[0]
    assert answer.plan is None
    assert answer.status in ("unknown", "infeasible")


def test_a_fleet_is_kept() -> None:
    answer = Solver().solve([routes(fleet=3)], time_limit=0.5)[0]
    assert answer.plan is not None
    assert len(answer.plan) <= 3


def test_an_option_that_would_be_ignored_is_an_error() -> None:
    for method, words in (
        ("heuristic", {"samples": 4}), ("exact", {"starts": 2}), ("nearest", {"temperature": 0.5}), ("portfolio", {"masked": False}),
        ("model", {"beam": 2, "samples": 3}), ("model", {"augment": 3}), ("portfolio", {"time_limit": 0.0}),
        ("local", {"seed": -1}), ("model", {"seed": 1 << 63}),
    ):  # fmt: skip
        with pytest.raises(UserError):
            Solver().solve([places()], method, **words)


def test_a_wrong_method_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'nearest'"):
        Solver().solve([places()], "nearst")


@pytest.mark.parametrize("kind", KINDS)
def test_every_stage_of_a_recipe_is_a_method(kind: str) -> None:
    assert RULES[kind] in METHODS[kind]
    assert {stage.method for stage in RECIPES[kind]} <= {MODEL, "local", *known_methods(kind)}


def test_a_method_by_name_answers_alone() -> None:
    answer = Solver().solve([places()], "nearest")[0]
    assert isinstance(answer, Solution)
    assert answer.source == "nearest"
