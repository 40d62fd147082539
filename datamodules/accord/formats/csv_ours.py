"""CSV of ours for every kind: which one a table is, and its reader."""

import re
from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.csv_items import items_kind, read_items, write_items
from datamodules.accord.formats.csv_places import is_matrix, places_kind, read_places, write_places
from datamodules.accord.formats.csv_plans import is_plan_table, read_plan_table, write_plan_table
from datamodules.accord.formats.csv_shops import read_shop, shop_kind, write_shop
from datamodules.accord.formats.csv_table import Table, table_of
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, Instance, Knapsack

__all__ = ["CSV"]

LAYOUTS = "id,x,y | id,x,y,demand | a square matrix | id,value,weight | id,size | job,machine,time | job,m1,m2,..."


def _kind(table: Table, asked: str | None) -> str | None:
    """Of the table; a table of bare numbers is a matrix of distances where it is square, unless another kind is asked for."""
    said = asked or table.key("kind")
    if said is not None:
        return said if said in KINDS else None
    return shop_kind(table) or items_kind(table) or places_kind(table)


def _matches(source: Source) -> bool:
    """By the header, as a .csv may be anybody's."""
    lines = [line for _, line in source.filled[:50] if not line.lstrip().startswith("#")]
    if not lines or not _may_be(source, lines[0]) or is_plan_table(source.head):
        return False
    try:
        table = table_of(source)
        return _kind(table, None) is not None and (bool(table.header) or is_matrix(table))
    except ParseError:
        return False


def _may_be(source: Source, first: str) -> bool:
    """A look at the first line, so that long tables of other things are not read: columns of ours, or about as many as rows."""
    cells = [cell.strip().lower() for cell in re.split("[,;\t]", first)]
    if len(cells) < 2:
        return False
    known = ({"x", "y"}, {"value", "weight"}, {"profit", "weight"}, {"size"}, {"job"}, {"lat"}, {"latitude"})
    return any(columns <= set(cells) for columns in known) or abs(len(source.filled) - len(cells)) < 12


def _read(source: Source, options: Options) -> list[Instance]:
    table = table_of(source)
    kind = _kind(table, options.kind)
    if kind is None:
        raise ParseError(f"{source.where}: no table of a problem; there are {LAYOUTS}")
    table.keys.setdefault("name", (source.stem, 0))
    if kind in ("tsp", "cvrp"):
        return [read_places(table, kind, options)]
    if kind in ("knapsack", "binpack"):
        return [read_items(table, kind, options)]
    return [read_shop(table, kind, options)]


def _write(instances: Sequence[Instance]) -> str:
    (one,) = instances
    if isinstance(one, TSP | CVRP):
        return write_places(one)
    return write_items(one) if isinstance(one, Knapsack | BinPacking) else write_shop(one)


CSV = Format(
    "csv",
    f"a table of ours ({LAYOUTS})",
    tuple(KINDS),
    (".csv", ".tsv"),
    _matches,
    _read,
    _write,
    names=True,
    is_solution=is_plan_table,
    read_solution=read_plan_table,
    write_solution=write_plan_table,
)
