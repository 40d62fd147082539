import pytest

from apps.accord.errors import InternalInfeasibleError
from apps.accord.solver.clock import Clock
from apps.accord.solver.incumbent import Incumbent
from tests.apps.accord.solver.small import ALL, places


def incumbent(kind: str = "tsp") -> Incumbent:
    return Incumbent(ALL[kind], Clock())


def test_a_worse_plan_changes_nothing() -> None:
    best = incumbent()
    assert best.offer((0, 1, 2, 3, 4, 5, 6, 7), "first")
    before = best.objective
    assert not best.offer((0, 3, 1, 5, 2, 7, 4, 6), "second")
    assert best.close().objective == before
    assert best.close().source == "first"


def test_more_is_better_in_a_knapsack() -> None:
    best = incumbent("knapsack")
    best.offer((0,), "one")
    assert best.offer((0, 1), "two")
    assert best.objective == 11


def test_a_plan_that_breaks_a_rule_is_never_an_answer() -> None:
    best = incumbent()
    with pytest.raises(InternalInfeasibleError, match="eight: some gave a plan"):
        best.offer((0, 1, 2, 3, 4, 5, 6, 6), "some")
    assert best.close().plan is None


def test_a_false_objective_is_never_believed() -> None:
    with pytest.raises(InternalInfeasibleError, match="said 1 of a plan that is worth"):
        incumbent().offer((0, 1, 2, 3, 4, 5, 6, 7), "some", objective=1)


def test_a_bug_of_ours_leaves_with_70() -> None:
    assert InternalInfeasibleError.exit_code == 70


def test_what_comes_after_the_end_is_not_heard() -> None:
    best = incumbent()
    best.offer((0, 3, 1, 5, 2, 7, 4, 6), "first")
    answer = best.close()
    assert not best.offer((0, 1, 2, 3, 4, 5, 6, 7), "late")
    assert best.close().objective == answer.objective


def test_a_value_that_reaches_its_bound_is_optimal() -> None:
    best = incumbent()
    best.offer((0, 1, 2, 3, 4, 5, 6, 7), "first")
    assert best.close().status == "feasible"
    best = incumbent()
    best.offer((0, 1, 2, 3, 4, 5, 6, 7), "first")
    assert best.objective is not None
    best.tighten(best.objective - 1)
    assert not best.done
    best.tighten(best.objective)
    best.tighten(best.objective - 1)  # a weaker bound takes nothing back
    assert best.done
    assert best.close().status == "optimal"


def test_no_plan_is_unknown_and_says_why() -> None:
    answer = Incumbent(places(), Clock(limit=1e-9)).close()
    assert answer.status == "unknown"
    assert "--time-limit" in answer.reason


def test_a_proof_that_there_is_none_is_told() -> None:
    best = incumbent("cvrp")
    best.infeasible = "two vehicles cannot hold it"
    assert best.close().status == "infeasible"
    assert best.close().reason == "two vehicles cannot hold it"


def test_the_trace_holds_each_better_answer_once() -> None:
    best, heard = incumbent("knapsack"), []
    best.callback = lambda instance, seconds, objective, source: heard.append((objective, source))
    for plan in ((3,), (0,), (1,), (0, 1)):
        best.offer(plan, "some")
    assert [row[1] for row in best.close().trace] == [2, 6, 11]
    assert heard == [(2, "some"), (6, "some"), (11, "some")]
