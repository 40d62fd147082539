"""Plans as tables: stops, routes, items, bins, jobs or operations, in the labels of the instance, and times in its own unit.

Without labels nodes, items, jobs and machines are counted from 0, the depot being 0.
"""

from collections.abc import Sequence
from typing import Any

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.csv_table import Table, table_of, text_of
from datamodules.accord.formats.format import Declared
from datamodules.accord.formats.numbers import number, plain, scaled, whole
from datamodules.accord.formats.plans import objective_scale, value_of
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
_LABELLED = ("node", "customer", "taken", "item", "job")


def is_plan_table(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    return tuple(cell.strip().lower() for cell in first.split(",")) in _HEADERS.values()


def _rows(instance: Instance, plan: Plan) -> list[tuple[object, ...]]:
    name = instance.label
    if isinstance(instance, JobShop):
        scale = instance.scale
        return [
            (name(job), at, instance.machine_label(machine), plain(start, scale), plain(start + time, scale))
            for job, (row, starts) in enumerate(zip(instance.jobs, plan, strict=True))
            for at, ((machine, time), start) in enumerate(zip(row, starts, strict=True))
        ]
    if instance.kind == "cvrp":
        return [(route, stop, name(customer)) for route, held in enumerate(plan, 1) for stop, customer in enumerate(held, 1)]
    if instance.kind == "binpack":
        return [(bin_, name(item)) for bin_, held in enumerate(plan, 1) for item in held]
    return [(name(item),) for item in plan] if instance.kind == "knapsack" else [(at, name(one)) for at, one in enumerate(plan, 1)]


def write_plan_table(instance: Instance, plan: Plan) -> str:
    keys: list[tuple[str, object]] = [("kind", instance.kind), ("instance", " ".join(instance.name.split()) or None)]
    objective = plain(value_of(instance, plan), objective_scale(instance))
    return text_of([*keys, ("objective", objective)], _HEADERS[instance.kind], _rows(instance, plan))


def read_plan_table(text: str, instance: Instance) -> Declared:
    header = _HEADERS[instance.kind]
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    source = text_source(text)
    if len(lines) == 1 and is_plan_table(text):  # nothing is taken
        return (), 0 if instance.kind in ("knapsack", "binpack", "cvrp") else None
    table = table_of(source)
    if table.header != header:
        raise ParseError(f"{table.where}: columns {', '.join(table.header)}; the plan of a {instance.kind} has {', '.join(header)}")
    rows = [[_cell(instance, cell, name, table.place(line)) for cell, name in zip(row, header, strict=True)] for line, row in table.rows]
    declared = None
    if "objective" in table.keys:
        said = number(table.keys["objective"][0], table.place(table.keys["objective"][1]), "objective")
        (declared,), _ = scaled([said], table.where, "objective", objective_scale(instance))
    plan = _plan(instance, rows, table)
    return tuple(tuple(one) if isinstance(one, list) else one for one in plan), declared


def _cell(instance: Instance, cell: str, column: str, place: str) -> Any:
    """A label that the instance does not have stays one: naming it is the checker's work."""
    labels = instance.labels if column in _LABELLED else instance.machine_labels if column == "machine" else ()  # type: ignore[union-attr]
    if labels:
        return labels.index(cell) if cell in labels else cell
    if column in ("start", "end"):
        return scaled([number(cell, place, column)], place, column, instance.scale)[0][0]
    return whole(cell, place, column)


def _plan(instance: Instance, rows: list[list[Any]], table: Table) -> Sequence[Any]:
    if isinstance(instance, JobShop):
        starts: dict[tuple[int, int], int] = {}
        for (job, at, machine, start, _), (line, _) in zip(rows, table.rows, strict=True):
            known = isinstance(job, int) and 0 <= job < instance.size
            name = f"operation {at} of job {instance.label(job) if known else job}"
            if not known or not 0 <= at < len(instance.jobs[job]):
                raise InvalidInstanceError(f"{table.place(line)}: {name} is none of the instance's")
            if machine != (true := instance.jobs[job][at][0]):
                said = machine if isinstance(machine, str) else instance.machine_label(machine)
                raise InvalidInstanceError(f"{table.place(line)}: {name} is on machine {instance.machine_label(true)}, not {said}")
            if (job, at) in starts:
                raise InvalidInstanceError(f"{table.place(line)}: {name} is there twice")
            starts[job, at] = start
        whole_plan = [(job, at) for job, row in enumerate(instance.jobs) for at in range(len(row))]
        if missing := [place for place in whole_plan if place not in starts]:
            raise ParseError(f"{table.where}: no start of operation {missing[0][1]} of job {instance.label(missing[0][0])}")
        return [[starts[job, at] for at in range(len(row))] for job, row in enumerate(instance.jobs)]
    if instance.kind == "cvrp":
        ordered = sorted(range(len(rows)), key=lambda at: (rows[at][0], rows[at][1]))
        return _grouped([(rows[at][0], rows[at][2]) for at in ordered])
    if instance.kind == "binpack":
        return _grouped([(row[0], row[1]) for row in sorted(rows, key=lambda row: row[0])])
    if instance.kind == "knapsack":
        return [row[0] for row in rows]
    return [row[1] for row in sorted(rows, key=lambda row: row[0])]


def _grouped(pairs: list[tuple[int, Any]]) -> list[list[Any]]:
    groups: dict[int, list[Any]] = {}
    for group, one in pairs:
        groups.setdefault(group, []).append(one)
    return list(groups.values())
