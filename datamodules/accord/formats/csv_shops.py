"""Operations `job,machine,time` in order, and tables of jobs by machines, as CSV."""

import re

import numpy as np

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.formats.csv_table import Table, text_of
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
    machines, count, notes = _machines(table)
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
    return JobShop(shop, count, table.key("name") or "", *_best(table, scale), scale, notes)


def _machines(table: Table) -> tuple[list[int], int, tuple[str, ...]]:
    """(of each row, how many, notes): numbers stand for themselves, from 0 or from 1; names are counted as they come."""
    cells = [cell for cell, _ in table.column("machine")]
    for cell, place in table.column("machine"):
        if not cell:
            raise ParseError(f"{place}: no machine")
        if cell.startswith("-") and _COUNTED.fullmatch(cell[1:]):
            raise InvalidInstanceError(f"{place}: machine {cell}; they are counted from 0 or from 1")
    if all(map(_COUNTED.fullmatch, cells)):
        numbers = [int(cell) for cell in cells]
        said = table.whole_key("machines")
        if said is not None:  # our own files: from 0
            return numbers, said, ()
        first = min(1, *numbers, 1)
        notes = ("machines of the file are counted from 1",) if first else ()
        return [number - first for number in numbers], max(numbers) - first + 1, notes
    names = list(dict.fromkeys(cells))
    said = ", ".join(f"{at} {name}" for at, name in enumerate(names[:20]))
    return [names.index(cell) for cell in cells], len(names), (f"machines: {said}{' ...' if len(names) > 20 else ''}",)


def _table(table: Table) -> Instance:
    """A row a job, a column a machine, in the order of the machines."""
    if table.header:
        skipped = table.header.index("job") if "job" in table.header else table.ids
        columns = [at for at in range(len(table.header)) if at != skipped]
        refuse_columns(table.where, [table.written[at] for at in columns])
        if skipped is not None:
            seen: dict[str, int] = {}
            for line, row in table.rows:
                if row[skipped] in seen:
                    raise InvalidInstanceError(
                        f"{table.place(line)}: job {row[skipped]!r} is there twice, first in line {seen[row[skipped]]}"
                    )
                seen[row[skipped]] = line
    else:
        columns = list(range(len(table.rows[0][1])))
    if not columns:
        raise ParseError(f"{table.where}: no machines; a column of times for each is needed")
    flat: list[Number] = [number(row[at] or "nothing", table.place(line), "time") for line, row in table.rows for at in columns]
    times, scale = scaled(flat, table.where, "times", table.whole_key("scale"))
    matrix = np.array(times, np.int64).reshape(len(table.rows), len(columns))
    return FlowShop(matrix, table.key("name") or "", *_best(table, scale), scale)


def write_shop(one: FlowShop | JobShop) -> str:
    keys: list[tuple[str, object]] = [("kind", one.kind), ("name", " ".join(one.name.split()) or None), ("scale", one.scale)]
    if one.best is not None:
        keys += [("best", plain(one.best, one.scale)), ("proven", one.proven)]
    if isinstance(one, FlowShop):
        rows = [[job, *(plain(time, one.scale) for time in row)] for job, row in enumerate(one.times.tolist())]
        return text_of(keys, ["job", *(f"m{machine}" for machine in range(one.times.shape[1]))], rows)
    keys.append(("machines", one.machines))
    return text_of(
        keys,
        ["job", "machine", "time"],
        [(job, machine, plain(time, one.scale)) for job, row in enumerate(one.jobs) for machine, time in row],
    )
