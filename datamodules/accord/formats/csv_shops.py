"""Operations `job,machine,time` in order, and tables of jobs by machines, as CSV."""

import csv
import re

import numpy as np

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.csv_table import Table, quoted, text_of
from datamodules.accord.formats.format import Options
from datamodules.accord.formats.numbers import Number, number, plain, scaled, whole
from datamodules.accord.formats.refused import refuse_columns
from datamodules.accord.instances import FlowShop, Instance, JobShop

__all__ = ["read_shop", "shop_kind", "write_shop"]

_COLUMNS = ("job", "machine", "time", "operation")
_COUNTED = re.compile(r"[0-9]{1,9}")


def shop_kind(table: Table) -> str | None:
    if {"job", "machine", "time"} <= set(table.header):
        return "jssp"
    return "pfsp" if table.header[:1] == ("job",) and "machine" not in table.header else None


def read_shop(table: Table, kind: str, options: Options) -> Instance:
    return _jobs(table) if kind == "jssp" else _table(table)


def _best(table: Table, scale: int) -> tuple[int | None, bool]:
    if "best" not in table.keys:
        return None, False
    (best,), _ = scaled([number(table.keys["best"][0], table.where, "best")], table.where, "best", scale)
    return best, table.key("proven") == "true"


def _jobs(table: Table) -> Instance:
    extra = [name for name in table.header if name not in _COLUMNS]
    refuse_columns(table.where, extra)
    if extra:
        raise ParseError(
            f"{table.where}: column {extra[0]!r} is not understood ({', '.join(_COLUMNS)} are); remove it if it is no constraint"
        )
    times, scale = scaled(table.numbers("time"), table.where, "times", table.whole_key("scale"))
    names = list(dict.fromkeys(cell for cell, _ in table.column("job")))
    machines, count, machine_labels = _machines(table)
    rows: dict[str, list[tuple[int, int, int, str]]] = {name: [] for name in names}
    order = table.column("operation") if "operation" in table.header else [("", "")] * len(times)
    for (job, place), machine, time, (step, step_place) in zip(table.column("job"), machines, times, order, strict=True):
        if not job:
            raise ParseError(f"{place}: no job")
        at = whole(step, step_place, "operation") if step_place else len(rows[job])
        if any(at == other for other, *_ in rows[job]):
            raise InvalidInstanceError(f"{place}: operation {at} of job {job} is there twice")
        rows[job].append((at, machine, time, place))
    shop = tuple(tuple((machine, time) for _, machine, time, _ in sorted(row)) for row in rows.values())
    best, proven = _best(table, scale)
    name = table.key("name") or ""
    return JobShop(shop, count, name, best, proven, scale, labels=tuple(names), machine_labels=machine_labels)


def _machines(table: Table) -> tuple[list[int], int, tuple[str, ...]]:
    """(of each row, how many, what they are called): numbers count from 0 or from 1; names are taken as they come.

    The line `# machines:` above the table holds their count, or all their names.
    """
    cells = [cell for cell, _ in table.column("machine")]
    for cell, place in table.column("machine"):
        if not cell:
            raise ParseError(f"{place}: no machine")
        if cell.startswith("-") and _COUNTED.fullmatch(cell[1:]):
            raise InvalidInstanceError(f"{place}: machine {cell}; they are counted from 0 or from 1")
    said = table.key("machines")
    if said is not None and "," in said:
        names = [name.strip() for name in next(csv.reader([said], skipinitialspace=True)) if name.strip()]
        if strange := next(((cell, place) for cell, place in table.column("machine") if cell not in names), None):
            raise InvalidInstanceError(f"{strange[1]}: machine {strange[0]} is none of {', '.join(names)}")
        return [names.index(cell) for cell in cells], len(names), tuple(names)
    if all(map(_COUNTED.fullmatch, cells)):
        numbers = [int(cell) for cell in cells]
        if (count := table.whole_key("machines")) is not None:  # our own files: from 0
            return numbers, count, ()
        called = dict(zip(numbers, cells, strict=True))
        dense = max(numbers) <= len(numbers)  # 4711 of two machines is a name
        known = list(range(min(1, *numbers), max(numbers) + 1)) if dense else sorted(called)
        return [known.index(number) for number in numbers], len(known), tuple(called.get(number, str(number)) for number in known)
    names = list(dict.fromkeys(cells))
    return [names.index(cell) for cell in cells], len(names), tuple(names)


def _table(table: Table) -> Instance:
    """A row a job, a column a machine, in the order of the machines."""
    if table.header:
        skipped = table.header.index("job") if "job" in table.header else table.ids
        columns = [at for at in range(len(table.header)) if at != skipped]
        refuse_columns(table.where, [table.written[at] for at in columns])
        labels, machine_labels = table.labels(skipped, "job "), [table.written[at] for at in columns]
    else:
        columns, labels, machine_labels = list(range(len(table.rows[0][1]))), [], []
    if machine_labels == [f"m{machine}" for machine in range(len(columns))]:
        machine_labels = []
    if not columns:
        raise ParseError(f"{table.where}: no machines; a column of times for each is needed")
    flat: list[Number] = [number(row[at] or "nothing", table.place(line), "time") for line, row in table.rows for at in columns]
    times, scale = scaled(flat, table.where, "times", table.whole_key("scale"))
    matrix = np.array(times, np.int64).reshape(len(table.rows), len(columns))
    best, proven = _best(table, scale)
    return FlowShop(matrix, table.key("name") or "", best, proven, scale, labels=tuple(labels), machine_labels=tuple(machine_labels))


def write_shop(one: FlowShop | JobShop) -> str:
    keys: list[tuple[str, object]] = [("kind", one.kind), ("name", " ".join(one.name.split()) or None), ("scale", one.scale)]
    if one.best is not None:
        keys += [("best", plain(one.best, one.scale)), ("proven", one.proven)]
    if isinstance(one, FlowShop):
        rows = [[one.label(job), *(plain(time, one.scale) for time in row)] for job, row in enumerate(one.times.tolist())]
        return text_of(keys, ["job", *(one.machine_labels or (f"m{machine}" for machine in range(one.times.shape[1])))], rows)
    names = ", ".join(quoted(name) for name in one.machine_labels) + ("," if len(one.machine_labels) == 1 else "")
    keys.append(("machines", names or one.machines))
    return text_of(
        keys,
        ["job", "machine", "time"],
        [(one.label(job), one.machine_label(machine), plain(time, one.scale)) for job, row in enumerate(one.jobs) for machine, time in row],
    )
