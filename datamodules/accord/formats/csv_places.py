"""Customers `id,x,y,demand`, cities `id,x,y`, and square matrices of distances or travel times, as tables."""

from dataclasses import dataclass

import numpy as np

from datamodules.accord.distances import METRICS, REAL_SCALE, matrix, rounded
from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.csv_table import Table, text_of
from datamodules.accord.formats.format import Options
from datamodules.accord.formats.numbers import Number, fits, is_plain, number, plain, scaled
from datamodules.accord.formats.refused import refuse_columns, unmodelled
from datamodules.accord.formats.shape import is_numeric
from datamodules.accord.instances import CVRP, TSP, Instance

__all__ = ["is_matrix", "places_kind", "read_places", "write_places"]

_OWN = ("x", "y", "demand", "capacity", "vehicles")
_GLOBE = ("lat", "lon", "lng", "long", "latitude", "longitude")


@dataclass(frozen=True)
class _Parts:
    """Where the columns of a table are."""

    matrix: list[int]
    extra: list[str]


def _parts(table: Table) -> _Parts:
    if not table.header:
        return _Parts(list(range(len(table.rows[0][1]))), [])
    rest = [at for at, name in enumerate(table.header) if name not in _OWN and at != table.ids]
    cells = [row[at] for _, row in table.rows[:20] for at in rest]
    numbers = sum(is_numeric(cell) and cell != "" for cell in cells)
    if any(unmodelled(table.header[at]) for at in rest):
        return _Parts([], [table.written[at] for at in rest])  # time windows of two customers are no matrix of two rows
    if len(rest) == len(table.rows) and 2 * numbers >= len(cells) and (len(rest) > 1 or "x" not in table.header):
        return _Parts(rest, [])  # half of them, so that a wrong cell of a matrix is found as one
    return _Parts([], [table.written[at] for at in rest])


def is_matrix(table: Table) -> bool:
    return len(_parts(table).matrix) == len(table.rows)


def places_kind(table: Table) -> str | None:
    """tsp or cvrp where the table is one of places, None where it is none."""
    placed = {"x", "y"} <= set(table.header) or any(name in _GLOBE for name in table.header) or is_matrix(table)
    if not placed:
        return None
    return "cvrp" if "demand" in table.header else "tsp"


def read_places(table: Table, kind: str, options: Options) -> Instance:
    parts = _parts(table)
    labels = _labels(table, parts) if table.header else ()
    if table.header:
        _columns(table, parts, kind)
    xy = None
    if "x" in table.header:
        xy = np.array([table.numbers(axis, None) for axis in ("x", "y")], np.float64).T
    if parts.matrix:
        if options.rounding not in (None, "nint"):
            raise InvalidInstanceError(
                f"{table.where}: rounding {options.rounding} is for coordinates; the distances are given: leave it out"
            )
        distances, scale, metric = *_matrix(table, parts.matrix), "explicit"
    else:
        if xy is None:
            raise ParseError(f"{table.where}: neither columns x and y nor a square matrix ({len(table.rows)} rows)")
        metric, scale = _metric(table, options)
        distances = matrix(xy, metric, scale)
    name, best = table.key("name") or "", None
    if "best" in table.keys and options.rounding is None:  # brief 5.5: of another rounding it is none
        (best,), _ = scaled([number(table.keys["best"][0], table.where, "best")], table.where, "best", scale)
    proven = best is not None and table.key("proven") == "true"
    if kind == "tsp":
        return TSP(distances, xy, name, best, proven, scale, metric, labels=labels)
    demands, capacity, notes = _load(table, options)
    fleet = table.one("vehicles", "the count of vehicles is one number")
    if fleet is not None and fleet != int(fleet):
        raise InvalidInstanceError(f"{table.where}: {fleet} vehicles; a whole number is needed")
    named = table.whole_key("named_fleet")
    return CVRP(
        distances,
        np.array(demands, np.int64),
        capacity,
        None if fleet is None else int(fleet),
        named,
        xy,
        name,
        best,
        proven,
        scale,
        metric,
        notes,
        labels,
    )


def _columns(table: Table, parts: _Parts, kind: str) -> None:
    """All of them are understood, or the table is refused: one that is not may be a constraint."""
    if globe := [name for name in table.header if name in _GLOBE]:
        raise UnsupportedError(
            f"{table.where}: columns {', '.join(globe)}: places on the globe; give x,y in a plane, or a matrix of travel times"
        )
    refuse_columns(table.where, parts.extra)
    if parts.extra:
        known = "id, x, y, demand, capacity, vehicles"
        raise ParseError(f"{table.where}: column {parts.extra[0]!r} is not understood ({known} are); remove it if it is no constraint")
    if kind == "tsp" and (more := [name for name in ("demand", "capacity", "vehicles") if name in table.header]):
        raise ParseError(f"{table.where}: column {more[0]!r} belongs to kind cvrp; remove it for a tsp")
    if ("x" in table.header) != ("y" in table.header):
        raise ParseError(f"{table.where}: x and y come together")


def _labels(table: Table, parts: _Parts) -> tuple[str, ...]:
    """Of the rows; where only the columns of a matrix have names, those."""
    rows, columns = table.labels(table.ids), [table.written[at] for at in parts.matrix]
    if rows:
        if columns and set(columns) == set(rows) and columns != rows:
            raise InvalidInstanceError(
                f"{table.where}: the matrix names its columns in another order than its rows; give both in one order"
            )
        return tuple(rows)
    return tuple(name.removeprefix("to_") for name in columns)


def _matrix(table: Table, columns: list[int]) -> tuple[np.ndarray, int]:
    if len(columns) != len(table.rows):
        raise InvalidInstanceError(f"{table.where}: {len(table.rows)} rows of {len(columns)} distances; the matrix must be square")
    flat: list[Number] = []
    for row_index, (line, row) in enumerate(table.rows):
        for column_index, at in enumerate(columns):
            if row_index == column_index and row[at] in ("", "-"):
                flat.append(0)
            else:
                flat.append(int(row[at]) if is_plain(row[at]) else number(row[at] or "nothing", table.place(line), "distance"))
    if "scale" in table.keys:
        integers, scale = scaled(flat, table.where, "distances", table.whole_key("scale"))
    else:
        integers, scale = scaled(flat, table.where, "distances")
    size = len(table.rows)
    return np.array(integers, np.int64).reshape(size, size), scale


def _metric(table: Table, options: Options) -> tuple[str, int]:
    """By the option, else by what the table says, else straight lines without rounding."""
    said = table.key("metric") or "real"
    if said not in METRICS:
        raise ParseError(f"{table.where}: metric {said!r} is not known; there are {', '.join(METRICS)}")
    if options.rounding is not None:
        return rounded("EUC_2D" if said in ("real", "trunc1") else said, options.rounding)
    default = {"real": REAL_SCALE, "trunc1": 10}.get(said, 1)
    return said, table.whole_key("scale") or default


def _load(table: Table, options: Options) -> tuple[list[int], int, tuple[str, ...]]:
    """(demands, capacity, notes)"""
    first, *others = table.column("demand")
    if first[0] and number(first[0], first[1], "demand"):
        raise InvalidInstanceError(f"{first[1]}: the first row is the depot, its demand is 0 or empty; put the depot's row first")
    demands = [0, *(number(cell or "nothing", place, "demand") for cell, place in others)]
    capacity = table.capacity(options.capacity, "vehicles of different capacity are not modelled")
    (*loads, held), scale = scaled([*demands, capacity], table.where, "demands")
    fits(table.where, loads, [line for line, _ in table.rows], held, "customer", "a vehicle")
    return loads, held, () if scale == 1 else (f"demands and capacity are multiplied by {scale}",)


def write_places(one: TSP | CVRP) -> str:
    keys: list[tuple[str, object]] = [("kind", one.kind), ("name", " ".join(one.name.split()) or None)]
    header, columns = ["id"], [[one.label(node) for node in range(len(one.distances))]]
    if one.xy is not None:
        header += ["x", "y"]
        columns += [[_short(value) for value in axis] for axis in one.xy.T.tolist()]
    if isinstance(one, CVRP):
        header.append("demand")
        columns.append(one.demands.tolist())
        keys += [("capacity", one.capacity), ("vehicles", one.fleet), ("named_fleet", one.named_fleet)]
    measured = one.xy is not None and one.metric in METRICS and (matrix(one.xy, one.metric, one.scale) == one.distances).all()
    if measured:
        keys += [("metric", one.metric), ("scale", one.scale)]
    else:
        keys.append(("scale", one.scale))
        header += [f"to_{node}" for node in range(len(one.distances))]
        columns += [[plain(value, one.scale) for value in column] for column in one.distances.T.tolist()]
    if one.best is not None:
        keys += [("best", plain(one.best, one.scale)), ("proven", one.proven)]
    return text_of(keys, header, list(zip(*columns, strict=True)))


def _short(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
