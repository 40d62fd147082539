"""Plans as tables: stops, routes, items, bins, jobs or operations; nodes, items, jobs and machines are counted from 0.

A customer's number is that of its row in the instance's table, the depot's row being 0.
"""

from collections.abc import Sequence

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.csv_table import Table, table_of, text_of
from datamodules.accord.formats.format import Declared
from datamodules.accord.formats.numbers import whole
from datamodules.accord.formats.plans import shape_of, value_of
from datamodules.accord.formats.source import text_source
from datamodules.accord.instances import Instance, JobShop
from datamodules.accord.solution import Plan

__all__ = ["is_plan_table", "read_plan_table", "write_plan_table"]

_HEADERS: dict[str, tuple[str, ...]] = {
    "tsp": ("stop", "node"),
    "cvrp": ("route", "stop", "customer"),
    "knapsack": ("taken",),
    "binpack": ("bin", "item"),
    "pfsp": ("position", "job"),
    "jssp": ("job", "operation", "machine", "start", "end"),
}


def is_plan_table(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    return tuple(cell.strip().lower() for cell in first.split(",")) in _HEADERS.values()


def _rows(instance: Instance, plan: Plan) -> list[tuple[int, ...]]:
    if isinstance(instance, JobShop):
        return [
            (job, at, machine, start, start + time)
            for job, (row, starts) in enumerate(zip(instance.jobs, plan, strict=True))
            for at, ((machine, time), start) in enumerate(zip(row, starts, strict=True))
        ]
    if instance.kind == "cvrp":
        return [(route, stop, customer) for route, held in enumerate(plan, 1) for stop, customer in enumerate(held, 1)]
    if instance.kind == "binpack":
        return [(bin_, item) for bin_, held in enumerate(plan, 1) for item in held]
    return [(item,) for item in plan] if instance.kind == "knapsack" else list(enumerate(plan, 1))


def write_plan_table(instance: Instance, plan: Plan) -> str:
    keys: list[tuple[str, object]] = [("kind", instance.kind), ("instance", " ".join(instance.name.split()) or None)]
    return text_of([*keys, ("objective", value_of(instance, plan))], _HEADERS[instance.kind], _rows(instance, plan))


def read_plan_table(text: str, instance: Instance) -> Declared:
    header = _HEADERS[instance.kind]
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    source = text_source(text)
    if len(lines) == 1 and is_plan_table(text):  # nothing is taken
        return (), 0 if instance.kind in ("knapsack", "binpack", "cvrp") else None
    table = table_of(source)
    if table.header != header:
        raise ParseError(f"{table.where}: columns {', '.join(table.header)}; the plan of a {instance.kind} has {', '.join(header)}")
    rows = [[whole(cell, table.place(line), name) for cell, name in zip(row, header, strict=True)] for line, row in table.rows]
    return shape_of(instance, _plan(instance, rows, table), table.where), table.whole_key("objective")


def _plan(instance: Instance, rows: list[list[int]], table: Table) -> Sequence[object]:
    if isinstance(instance, JobShop):
        starts: dict[tuple[int, int], int] = {}
        for (job, at, machine, start, _), (line, _) in zip(rows, table.rows, strict=True):
            if not (0 <= job < instance.size and 0 <= at < len(instance.jobs[job])):
                raise InvalidInstanceError(f"{table.place(line)}: operation {at} of job {job} is none of the instance's")
            if machine != instance.jobs[job][at][0]:
                raise InvalidInstanceError(
                    f"{table.place(line)}: operation {at} of job {job} is on machine {instance.jobs[job][at][0]}, not {machine}"
                )
            if (job, at) in starts:
                raise InvalidInstanceError(f"{table.place(line)}: operation {at} of job {job} is there twice")
            starts[job, at] = start
        whole_plan = [(job, at) for job, row in enumerate(instance.jobs) for at in range(len(row))]
        if missing := [place for place in whole_plan if place not in starts]:
            raise ParseError(f"{table.where}: no start of operation {missing[0][1]} of job {missing[0][0]}")
        return [[starts[job, at] for at in range(len(row))] for job, row in enumerate(instance.jobs)]
    if instance.kind == "cvrp":
        ordered = sorted(range(len(rows)), key=lambda at: (rows[at][0], rows[at][1]))
        return _grouped([(rows[at][0], rows[at][2]) for at in ordered])
    if instance.kind == "binpack":
        return _grouped([(row[0], row[1]) for row in sorted(rows, key=lambda row: row[0])])
    if instance.kind == "knapsack":
        return [row[0] for row in rows]
    return [row[1] for row in sorted(rows, key=lambda row: row[0])]


def _grouped(pairs: list[tuple[int, int]]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for group, one in pairs:
        groups.setdefault(group, []).append(one)
    return list(groups.values())
