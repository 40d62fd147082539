"""ACCORD's own text of a solution: after every decision stands the state that it leads to (section 2.1 of the brief).

    text = write_solution(instance, plan)
    read_solution(text, instance).plan == plan

Totals and states of a text are compared with the true ones and never believed. Numbers are real values: distances of a metric that rounds
are whole, as in the released texts; ours: where an instance has a scale, all its decimals are written, so that nothing is lost.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from datamodules.accord.formats.input_text import read_instance, write_instance
from datamodules.accord.formats.numbers import plain
from datamodules.accord.formats.text_lines import COORDINATE, INTEGER, NUMBER, Found, Read, Rule, scan, units
from datamodules.accord.formats.text_plans import flow_shop_runs, items_plan, job_shop_plan, place, routes_plan, schedule_rows, writable
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["is_text", "read_instance", "read_solution", "write_instance", "write_solution"]

_N = f"({NUMBER})"
_PLACE = rf"\(\d{{1,9}}\)(?:: \({COORDINATE}, {COORDINATE}\))?"
_STOP = rf"\((\d{{1,9}})\)(?:\s*:\s*\(({COORDINATE}),\s*({COORDINATE})\))?(?:\s*\+\s*({NUMBER}))?"
_ITEM = rf"\(({INTEGER}),\s*({NUMBER})\)(?: -> ({NUMBER}))?"
_RUN = rf"M\d{{1,9}}\({NUMBER}\+{NUMBER}={NUMBER}\)"

_ROUTE = Rule(
    "route",
    rf"Vehicle Route: {_PLACE}(?: -> {_PLACE} \+ {NUMBER})+",
    "Vehicle Route: (0): (0, 0) -> (1): (3, 4) + 5 -> (0): (0, 0) + 5",
    "many",
    r"Vehicle Route:.*->.*",
)
_DISTANCE = Rule("total", f"Overall Total Distance: {_N}", "Overall Total Distance: 15")
_MAKESPAN = Rule("total", f"Makespan: {_N}", "Makespan: 7")
_TAKEN = rf"\[\[{_N}, {_N}\] -> value:{_N}\+{_N}={_N}, weight:{_N}\+{_N}={_N}<={_N}\]"
_PUT = rf"\({INTEGER}, {NUMBER}\) -> {NUMBER}"
_BIN = Rule(
    "bin",
    rf"Bin (\d{{1,9}}): ({_PUT}(?:, {_PUT})*) <= {_N}",
    "Bin 1: (0, 6) -> 6, (2, 4) -> 10 <= 10",
    "many",
    rf"Bin (\d{{1,9}}):(.*?)<=\s*{_N}.*",  # the released texts may have anything between the arrows
)
_RULES: dict[str, tuple[Rule, ...]] = {
    "tsp": (_ROUTE, _DISTANCE),
    "cvrp": (_ROUTE, _DISTANCE),
    "knapsack": (
        Rule("head", "Solution:", "Solution:"),
        Rule("item", f"{_TAKEN},", "[[5, 3] -> value:0+5=5, weight:0+3=3<=10],", "many"),
        Rule("item", _TAKEN, "[[5, 3] -> value:0+5=5, weight:0+3=3<=10]", "maybe"),  # the last one has no comma
        Rule("total", f"Total Value: {_N}", "Total Value: 14"),
        Rule("weight", f"Total Weight: {_N}<={_N}", "Total Weight: 10<=10"),
    ),
    "binpack": (_BIN, Rule("total", r"Total bins required: (\d{1,9})", "Total bins required: 2")),
    "pfsp": (Rule("job", rf"J(\d{{1,9}}): {_RUN}(?: -> {_RUN})*", "J2: M1(0+1=1) -> M2(1+4=5)", "many"), _MAKESPAN),
    "jssp": (Rule("run", rf"J(\d{{1,9}})-M(\d{{1,9}}): {_N}\+{_N} -> {_N}", "J0-M0: 0+3 -> 3", "many"), _MAKESPAN),
}
_MARKS = (
    r"Vehicle Route: ",
    r"\[\[\S+, \S+\] -> value:",
    r"Bin \d+: \(",
    r"J\d+-M\d+: ",
    r"J\d+: M\d+\(",
    r"Total Value: ",
    "Total bins required: ",
)


def is_text(text: str) -> bool:
    """Does a line of it look like one of these?"""
    return any(re.match(mark, line.strip()) for line in text.splitlines() for mark in _MARKS)


def write_solution(instance: Instance, plan: Plan) -> str:
    value = writable(instance, plan)
    return "\n".join(_WRITERS[instance.kind](instance, plan, value)) + "\n"


def read_solution(text: str, instance: Instance, lenient: bool = False) -> Read:
    """lenient: lines that are none of the grammar's are left out, with all that stands before `### Response:`; totals may be missing."""
    found = scan(text, _RULES[instance.kind], f"the ACCORD text of a {instance.kind}", lenient)
    plan = _READERS[instance.kind](instance, found)
    return Read(plan, found.total("total", instance), tuple(found.notes))


# --- tsp, cvrp


def _write_routes(instance: TSP | CVRP, plan: Plan, value: int) -> list[str]:
    lines = []
    for path in [(*plan, plan[0])] if isinstance(instance, TSP) else [(0, *route, 0) for route in plan]:
        words = [place(instance, path[0])]
        for before, node in pairwise(path):
            way = int(instance.distances[before, node]) if before != node else 0
            words.append(f"{place(instance, node)} + {plain(way, instance.scale)}")
        lines.append("Vehicle Route: " + " -> ".join(words))
    return [*lines, f"Overall Total Distance: {plain(value, instance.scale)}"]


def _read_routes(instance: TSP | CVRP, found: Found) -> Plan:
    routes = [(line, [(int(i), x, y, way) for i, x, y, way in re.findall(_STOP, match[0])]) for line, match in found.all("route")]
    return routes_plan(instance, found, routes)


# --- knapsack


def _write_knapsack(instance: Knapsack, plan: Plan, value: int) -> list[str]:
    total, load, steps = 0, 0, []
    for item in plan:
        v, w = int(instance.values[item]), int(instance.weights[item])
        steps.append(_step(instance, v, w, total, load))
        total, load = total + v, load + w
    weight = f"{plain(load, instance.scale)}<={plain(instance.capacity, instance.scale)}"
    return [
        "Solution:",
        *(f"{step}," for step in steps[:-1]),
        *steps[-1:],
        "",
        f"Total Value: {plain(value, instance.value_scale)}",
        f"Total Weight: {weight}",
    ]


def _step(instance: Knapsack, v: int, w: int, total: int, load: int) -> str:
    """What stands for an item of value v and weight w that is put to items of this total and load."""
    a, b, c = (plain(number, instance.value_scale) for number in (v, total, total + v))
    d, e, f, g = (plain(number, instance.scale) for number in (w, load, load + w, instance.capacity))
    return f"[[{a}, {d}] -> value:{b}+{a}={c}, weight:{e}+{d}={f}<={g}]"


def _read_knapsack(instance: Knapsack, found: Found) -> Plan:
    total, load, pairs = 0, 0, []
    for line, match in found.all("item"):
        v, w = units(match[1], instance.value_scale), units(match[2], instance.scale)
        pairs.append((v, w))
        if isinstance(v, int) and isinstance(w, int):
            found.expect(line, "the state", match[0].rstrip(","), _step(instance, v, w, total, load))
            total, load = total + v, load + w
    weight = found.last("weight")
    if weight:
        stated = units(weight[1][1], instance.scale), units(weight[1][2], instance.scale)
        found.expect(weight[0], "(weight, capacity)", stated, (load, instance.capacity))
    return items_plan(instance, pairs)


# --- binpack


def _write_bins(instance: BinPacking, plan: Plan, value: int) -> list[str]:
    lines = [_bin(instance, number, items) for number, items in enumerate(filter(len, plan), 1)]
    return [*lines, f"Total bins required: {value}"]


def _bin(instance: BinPacking, number: int, items: Plan) -> str:
    load, words = 0, []
    for item in items:
        load += int(instance.weights[item])
        words.append(f"({item}, {plain(int(instance.weights[item]), instance.scale)}) -> {plain(load, instance.scale)}")
    return f"Bin {number}: {', '.join(words)} <= {plain(instance.capacity, instance.scale)}"


def _read_bins(instance: BinPacking, found: Found) -> Plan:
    bins = []
    for line, match in found.all("bin"):
        items = tuple(int(item) for item, _, _ in re.findall(_ITEM, match[2]))
        bins.append(items)
        if all(0 <= item < instance.size for item in items):
            found.expect(line, "the state", match[0], _bin(instance, len(bins), items))
    return tuple(bins)


# --- pfsp, jobs and machines counted from 1; jssp, from 0


def _write_flow_shop(instance: FlowShop, plan: Plan, value: int) -> list[str]:
    runs = flow_shop_runs(instance, plan)
    return [*(_passage(instance, job, row) for job, row in zip(plan, runs, strict=True)), f"Makespan: {plain(value, instance.scale)}"]


def _passage(instance: FlowShop, job: int, runs: list[tuple[int, int]]) -> str:
    words = []
    for machine, (start, time) in enumerate(runs, 1):
        a, b, c = (plain(number, instance.scale) for number in (start, time, start + time))
        words.append(f"M{machine}({a}+{b}={c})")
    return f"J{job + 1}: {' -> '.join(words)}"


def _read_flow_shop(instance: FlowShop, found: Found) -> Plan:
    plan = tuple(int(match[1]) - 1 for _, match in found.all("job"))
    if all(0 <= job < instance.size for job in plan):
        for (line, match), job, row in zip(found.all("job"), plan, flow_shop_runs(instance, plan), strict=True):
            found.expect(line, "the state", match[0], _passage(instance, job, row))
    return plan


def _write_job_shop(instance: JobShop, plan: Plan, value: int) -> list[str]:
    lines = []
    for job, machine, start, time in schedule_rows(instance, plan):
        a, b, c = (plain(number, instance.scale) for number in (start, time, start + time))
        lines.append(f"J{job}-M{machine}: {a}+{b} -> {c}")
    return [*lines, f"Makespan: {plain(value, instance.scale)}"]


def _read_job_shop(instance: JobShop, found: Found) -> Plan:
    rows = []
    for line, match in found.all("run"):
        start, time, end = (units(match[i], instance.scale) for i in (3, 4, 5))
        found.expect(line, "the end", end, start + time)
        rows.append((int(match[1]), int(match[2]), start, time))
    return job_shop_plan(instance, rows)


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
