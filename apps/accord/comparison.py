"""Methods side by side: gaps against one best value an instance, wins, and means that say what they leave out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

from apps.accord.numbers import better, scale_of
from datamodules.accord.gaps import comparable_best, gap
from datamodules.accord.instances import CVRP, Instance
from datamodules.accord.solution import Solution

__all__ = ["Compared", "Row", "best_of", "rows_of", "summary_lines", "time_curves"]


@dataclass(frozen=True)
class Compared:
    instance: Instance
    answers: dict[str, Solution]  # by method


class Row(NamedTuple):
    instance: str
    kind: str
    method: str
    fleet: str | None  # the most vehicles; free; None where there are none
    status: str
    objective: int | None
    scale: int
    bound: int | None
    best: int | None
    against: str  # known, found, or nothing
    gap: float | None  # percent
    wall: float  # seconds
    win: int  # 1: no method was better
    source: str


def best_of(compared: Compared) -> tuple[int | None, str]:
    """(the value that gaps are to, whether it is known or was found here)."""
    known = comparable_best(compared.instance)
    if known is not None:
        return known, "known"
    found = None
    for answer in compared.answers.values():
        if answer.objective is not None and better(compared.instance.kind, answer.objective, found):
            found = answer.objective
    return found, "" if found is None else "found"


def rows_of(compared: Sequence[Compared]) -> list[Row]:
    rows = []
    for one in compared:
        best, against = best_of(one)
        values = [answer.objective for answer in one.answers.values() if answer.objective is not None]
        for method, answer in one.answers.items():
            value = answer.objective
            away = None if value is None or best is None else round(gap(one.instance, value, best), 6)
            win = value is not None and not any(better(one.instance.kind, other, value) for other in values)
            rows.append(
                Row(
                    one.instance.name, one.instance.kind, method, _fleet(one.instance), answer.status, value, scale_of(one.instance),
                    answer.bound, best, against, away, round(answer.wall, 4), int(win), answer.source,
                )
            )  # fmt: skip
    return rows


def summary_lines(rows: Sequence[Row], methods: Sequence[str]) -> list[str]:
    """A table for each kind, a line a method."""
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        count = len({row.instance for row in rows if row.kind == kind})
        lines.append(f"{kind}, {count} instances")
        head = ("method", "feasible", "proven", "mean gap", "median", "of means", "mean s", "wins")
        lines.append("  {:<14}{:>9}{:>8}{:>11}{:>10}{:>11}{:>9}{:>6}".format(*head))
        for method in methods:
            mine = [row for row in rows if row.kind == kind and row.method == method]
            if mine:
                lines.append("  " + _line(method, mine))
    return lines


def time_curves(compared: Sequence[Compared], methods: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """By method the mean gap of all instances that it answers, from the moment on at which each of them has an answer: it never rises."""
    curves = {}
    for method in methods:
        steps = []  # (seconds, which instance, gap)
        for which, one in enumerate(compared):
            best = best_of(one)[0]
            answer = one.answers.get(method)
            if answer is not None and best is not None:
                steps += [(at, which, gap(one.instance, objective, best)) for at, objective, _ in answer.trace]
        count = len({which for _, which, _ in steps})
        current: dict[int, float] = {}
        points = []
        for at, which, value in sorted(steps):
            current[which] = value
            if len(current) == count:
                points.append((at, fmean(current.values())))
        curves[method] = points
    return curves


def _line(method: str, rows: Sequence[Row]) -> str:
    feasible = [row for row in rows if row.objective is not None]
    gaps = [row.gap for row in feasible if row.gap is not None and math.isfinite(row.gap)]
    proven = sum(row.status == "optimal" for row in rows)
    bests = sum(row.best for row in feasible if row.best is not None)
    of_means = _of_means(feasible) if bests else math.nan
    numbers = [fmean(gaps), median(gaps), of_means] if gaps else [math.nan] * 3
    means, medians, of_them = ("-" if math.isnan(number) else f"{number:.3f}%" for number in numbers)
    shares = f"{100 * len(feasible) / len(rows):>8.1f}%{100 * proven / len(rows):>7.1f}%"
    ending = f"{fmean(row.wall for row in rows):>9.3f}{sum(row.win for row in rows):>6}"
    return f"{method:<14}{shares}{means:>11}{medians:>10}{of_them:>11}{ending}"


def _of_means(rows: Sequence[Row]) -> float:
    """The gap of the mean values, which some papers report instead of the mean gap. Real values: scales may differ."""
    pairs = [(row.objective / row.scale, row.best / row.scale) for row in rows if row.objective is not None and row.best is not None]
    value, best = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    sign = -1 if rows[0].kind == "knapsack" else 1
    return sign * 100 * (value - best) / best


def _fleet(instance: Instance) -> str | None:
    if not isinstance(instance, CVRP):
        return None
    return "free" if instance.fleet is None else str(instance.fleet)
