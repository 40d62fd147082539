"""What is averaged, against what, and who wins."""

import itertools
from dataclasses import replace

import pytest

from apps.accord.comparison import Compared, best_of, rows_of, summary_lines, time_curves
from datamodules.accord.solution import Solution
from tests.apps.accord.solver.small import ALL, routes


def answer(kind: str, objective: int | None, trace: tuple = ()) -> Solution:
    return Solution(kind, None if objective is None else (), objective, "unknown" if objective is None else "feasible", trace=trace)


def test_gaps_are_to_the_best_found_where_none_is_known() -> None:
    one = Compared(ALL["tsp"], {"a": answer("tsp", 200), "b": answer("tsp", 220), "c": answer("tsp", None)})
    assert best_of(one) == (200, "found")
    rows = {row.method: row for row in rows_of([one])}
    assert (rows["a"].gap, rows["b"].gap, rows["c"].gap) == (0.0, 10.0, None)
    assert (rows["a"].win, rows["b"].win, rows["c"].win) == (1, 0, 0)


def test_more_wins_in_a_knapsack() -> None:
    one = Compared(ALL["knapsack"], {"a": answer("knapsack", 10), "b": answer("knapsack", 8)})
    rows = {row.method: row for row in rows_of([one])}
    assert (rows["a"].win, rows["b"].win) == (1, 0)
    assert rows["b"].gap == pytest.approx(20.0)


def test_a_known_value_that_is_beaten_gives_a_negative_gap() -> None:
    one = Compared(replace(ALL["tsp"], best=100), {"a": answer("tsp", 90)})  # type: ignore[type-var]
    assert rows_of([one])[0].gap == -10.0
    assert rows_of([one])[0].against == "known"


def test_a_value_of_another_fleet_rule_is_no_measure() -> None:
    named = replace(routes(fleet=3), best=100)
    assert best_of(Compared(named, {"a": answer("cvrp", 120)})) == (100, "known")
    assert best_of(Compared(named.with_fleet(None), {"a": answer("cvrp", 120)})) == (120, "found")


def test_missing_answers_are_told_and_enter_no_mean() -> None:
    two = [Compared(ALL["tsp"], {"a": answer("tsp", 100), "b": answer("tsp", 110)}), Compared(routes(), {})]
    two[1] = Compared(replace(ALL["tsp"], name="other"), {"a": answer("tsp", 100), "b": answer("tsp", None)})  # type: ignore[type-var]
    lines = summary_lines(rows_of(two), ["a", "b"])
    assert "50.0%" in lines[-1]
    assert "10.000%" in lines[-1]


def test_a_method_without_an_answer_has_no_numbers() -> None:
    lines = summary_lines(rows_of([Compared(ALL["tsp"], {"a": answer("tsp", 100), "b": answer("tsp", None)})]), ["a", "b"])
    assert "nan" not in lines[-1]
    assert lines[-1].split()[:6] == ["b", "0.0%", "0.0%", "-", "-", "-"]
    assert {len(line) for line in lines[1:]} == {len(lines[1])}


def test_a_curve_never_rises() -> None:
    traces = [((0.1, 130, "x"), (0.5, 110, "x")), ((0.3, 150, "x"), (0.4, 120, "x"), (0.9, 100, "x"))]
    compared = [
        Compared(replace(ALL["tsp"], name=str(i), best=100), {"a": answer("tsp", trace[-1][1], trace)})  # type: ignore[type-var]
        for i, trace in enumerate(traces)
    ]
    points = time_curves(compared, ["a", "b"])["a"]
    assert points[0] == (0.3, 40.0)
    assert all(after[1] <= before[1] for before, after in itertools.pairwise(points))
    assert time_curves(compared, ["b"]) == {"b": []}
