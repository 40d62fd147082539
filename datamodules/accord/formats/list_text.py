"""ACCORD's second text of a solution: lists of lists, without the states between (section 2.1 of the brief). Totals are never believed."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from datamodules.accord.formats.input_text import read_instance, write_instance
from datamodules.accord.formats.numbers import plain
from datamodules.accord.formats.text_lines import COORDINATE, INTEGER, NUMBER, Found, Read, Rule, scan, units
from datamodules.accord.formats.text_plans import (
    flow_shop_plan,
    flow_shop_runs,
    items_plan,
    job_shop_plan,
    place,
    routes_plan,
    schedule_rows,
    writable,
)
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["is_text", "read_instance", "read_solution", "write_instance", "write_solution"]

_N = f"({NUMBER})"
_PLACE = rf"\(\d{{1,9}}\)(?:: \({COORDINATE}, {COORDINATE}\))?"
_STOP = rf"\((\d{{1,9}})\)(?:\s*:\s*\(({COORDINATE}),\s*({COORDINATE})\))?"
_ROW = rf"\[{INTEGER}, {INTEGER}, {NUMBER}, {NUMBER}\]"
_SUM = rf"(?:{NUMBER}(?:\+{NUMBER})*=)?{_N}"

_ROUTE = Rule("route", rf"\[{_PLACE}(?:, {_PLACE})+\]", "[(0): (0, 0), (1): (3, 4), (0): (0, 0)]", "many", r"\[\s*\(\d+\).*\]")
_DISTANCE = Rule("total", f"Overall Total Distance: {_N}", "Overall Total Distance: 15")
_ROWS = Rule(
    "rows", rf"\[{_ROW}(?:, {_ROW})*\]", "[[0, 0, 0, 3], [1, 1, 0, 2]]", "one", r"\[\s*\[[-\d.,\s]*\](?:\s*,\s*\[[-\d.,\s]*\])*\s*\]"
)
_PAIR = rf"\({NUMBER}, {NUMBER}\)"
_IDS = rf"\[(?:{INTEGER}(?:, {INTEGER})*)?\]"
_RULES: dict[str, tuple[Rule, ...]] = {
    "tsp": (_ROUTE, _DISTANCE),
    "cvrp": (_ROUTE, _DISTANCE),
    "knapsack": (
        Rule("items", rf"Solution: \[((?:{_PAIR}(?:, {_PAIR})*)?)\]", "Solution: [(5, 3), (9, 7)]", "one", r"Solution:\s*\[(.*)\]"),
        Rule("total", f"Value: {_SUM}", "Value: 5+9=14"),
        Rule("weight", f"Weight: {_SUM}<={_N}", "Weight: 3+7=10<=10"),
    ),
    "binpack": (Rule("bins", rf"\[(?:{_IDS}(?:, {_IDS})*)?\]", "[[0, 2], [1, 3]]", "one", r"\[[-\d,\s\[\]]*\]"),),
    "pfsp": (_ROWS, Rule("total", f"Makespan: {_N}", "Makespan: 8")),
    "jssp": (
        _ROWS,
        Rule(
            "total",
            f"Maximum end completion time or Makespan: {_N}",
            "Maximum end completion time or Makespan: 7",
            "one",
            f"(?:.*[Mm]akespan):?\\s*{_N}\\.?",
        ),
    ),
}
_MARKS = (r"\[\(\d+\)", r"Solution: \[", r"\[\[-?\d+[,\]]", r"\[\]$")


def is_text(text: str) -> bool:
    """Does its first line look like one of these?"""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return bool(lines) and "->" not in lines[0] and any(re.match(mark, lines[0]) for mark in (*_MARKS, "Overall Total Distance: "))


def write_solution(instance: Instance, plan: Plan) -> str:
    value = writable(instance, plan)
    return "\n".join(_WRITERS[instance.kind](instance, plan, value)) + "\n"


def read_solution(text: str, instance: Instance, lenient: bool = False) -> Read:
    """lenient: lines that are none of the grammar's are left out, with all that stands before `### Response:`; totals may be missing."""
    found = scan(text, _RULES[instance.kind], f"the list text of a {instance.kind}", lenient)
    plan = _READERS[instance.kind](instance, found)
    return Read(plan, found.total("total", instance), tuple(found.notes))


# --- tsp, cvrp


def _write_routes(instance: TSP | CVRP, plan: Plan, value: int) -> list[str]:
    paths = [(*plan, plan[0])] if isinstance(instance, TSP) else [(0, *route, 0) for route in plan]
    lines = [f"[{', '.join(place(instance, node) for node in path)}]" for path in paths]
    return [*lines, f"Overall Total Distance: {plain(value, instance.scale)}"]


def _read_routes(instance: TSP | CVRP, found: Found) -> Plan:
    routes = [(line, [(int(i), x, y, "") for i, x, y in re.findall(_STOP, match[0])]) for line, match in found.all("route")]
    return routes_plan(instance, found, routes)


# --- knapsack


def _write_knapsack(instance: Knapsack, plan: Plan, value: int) -> list[str]:
    values = [plain(int(instance.values[item]), instance.value_scale) for item in plan]
    weights = [plain(int(instance.weights[item]), instance.scale) for item in plan]
    load = plain(sum(int(instance.weights[item]) for item in plan), instance.scale)
    pairs = ", ".join(f"({v}, {w})" for v, w in zip(values, weights, strict=True))
    return [
        f"Solution: [{pairs}]",
        f"Value: {_sum(values)}{plain(value, instance.value_scale)}",
        f"Weight: {_sum(weights)}{load}<={plain(instance.capacity, instance.scale)}",
    ]


def _sum(terms: list[str]) -> str:
    return "+".join(terms) + "=" if terms else ""


def _read_knapsack(instance: Knapsack, found: Found) -> Plan:
    items = found.last("items")
    pairs = []
    for value, weight in re.findall(rf"[\[(]\s*{_N}\s*,\s*{_N}\s*[\])]", items[1][1] if items else ""):
        pairs.append((units(value, instance.value_scale), units(weight, instance.scale)))
    for name, what, at, scale in (("total", "value", 0, instance.value_scale), ("weight", "weight", 1, instance.scale)):
        last = found.last(name)
        if last and (terms := re.match(rf"\w+: ({NUMBER}(?:\+{NUMBER})*)=", last[1][0])):
            stated = tuple(units(term, scale) for term in terms[1].split("+"))
            found.expect(last[0], f"each {what}", stated, tuple(pair[at] for pair in pairs))
    weight = found.last("weight")
    if weight:
        load = sum(pair[1] for pair in pairs)
        stated = units(weight[1][1], instance.scale), units(weight[1][2], instance.scale)
        found.expect(weight[0], "(weight, capacity)", stated, (load, instance.capacity))
    return items_plan(instance, pairs)


# --- binpack


def _write_bins(instance: BinPacking, plan: Plan, value: int) -> list[str]:
    return [str([list(items) for items in plan if len(items)])]


def _read_bins(instance: BinPacking, found: Found) -> Plan:
    bins = found.last("bins")
    inner = re.findall(r"\[([-\d,\s]*)\]", bins[1][0][1:-1]) if bins else []
    return tuple(tuple(int(item) for item in re.findall(INTEGER, items)) for items in inner)


# --- pfsp, jobs and machines counted from 1; jssp, from 0


def _write_flow_shop(instance: FlowShop, plan: Plan, value: int) -> list[str]:
    rows = []
    for job, runs in zip(plan, flow_shop_runs(instance, plan), strict=True):
        rows += [(job + 1, machine, start, time) for machine, (start, time) in enumerate(runs, 1)]
    return [_rows(rows, instance.scale), f"Makespan: {plain(value, instance.scale)}"]


def _read_flow_shop(instance: FlowShop, found: Found) -> Plan:
    return flow_shop_plan(instance, found, [(job - 1, machine - 1, start, time) for job, machine, start, time in _numbers(instance, found)])


def _write_job_shop(instance: JobShop, plan: Plan, value: int) -> list[str]:
    total = f"Maximum end completion time or Makespan: {plain(value, instance.scale)}"
    return [_rows(schedule_rows(instance, plan), instance.scale), total]


def _read_job_shop(instance: JobShop, found: Found) -> Plan:
    return job_shop_plan(instance, _numbers(instance, found))


def _rows(rows: list[tuple[int, int, int, int]], scale: int) -> str:
    return f"[{', '.join(f'[{job}, {machine}, {plain(start, scale)}, {plain(time, scale)}]' for job, machine, start, time in rows)}]"


def _numbers(instance: FlowShop | JobShop, found: Found) -> list[tuple[int, int, int | Decimal, int | Decimal]]:
    rows = found.last("rows")
    split = rf"\[\s*({INTEGER})\s*,\s*({INTEGER})\s*,\s*{_N}\s*,\s*{_N}\s*\]"
    parts = re.findall(split, rows[1][0]) if rows else []
    return [(int(job), int(machine), units(start, instance.scale), units(time, instance.scale)) for job, machine, start, time in parts]


_WRITERS: dict[str, Callable[[Any, Plan, int], list[str]]] = {
    "tsp": _write_routes,
    "cvrp": _write_routes,
    "knapsack": _write_knapsack,
    "binpack": _write_bins,
    "pfsp": _write_flow_shop,
    "jssp": _write_job_shop,
}
_READERS: dict[str, Callable[[Any, Found], Plan]] = {
    "tsp": _read_routes,
    "cvrp": _read_routes,
    "knapsack": _read_knapsack,
    "binpack": _read_bins,
    "pfsp": _read_flow_shop,
    "jssp": _read_job_shop,
}
