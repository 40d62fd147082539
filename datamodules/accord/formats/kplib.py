"""kplib's knapsacks (.kp): the count of items, the capacity, an empty line, then `value weight` for each item."""

from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.item_lines import knapsack_lines, knapsack_of
from datamodules.accord.formats.numbers import Numbers
from datamodules.accord.formats.shape import first_widths
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, Knapsack

__all__ = ["KPLIB", "has_gap"]


def has_gap(source: Source) -> bool:
    """An empty line between the capacity and the first item, which cutting stock's files of the same numbers do not have."""
    return len(source.filled) > 2 and source.filled[2][0] - source.filled[1][0] > 1


def _matches(source: Source) -> bool:
    return source.suffix == ".kp" or (source.suffix != ".csp" and first_widths(source) == [1, 1, 2])


def _read(source: Source, options: Options) -> list[Instance]:
    if len(source.filled) < 2:
        raise ParseError(f"{source.where}: the count of items, the capacity and the items are needed")
    head = Numbers(source.where, source.filled[:2])
    count, capacity = head.whole("count of items"), head.number("capacity")
    head.nothing_left("the count of items and the capacity")
    return [knapsack_of(source, source.filled[2:], count, capacity)]


def _write(instances: Sequence[Instance]) -> str:
    (one,) = instances
    assert isinstance(one, Knapsack)
    capacity, items = knapsack_lines(one)
    return "\n".join(["", str(one.size), capacity, "", *items, ""])


KPLIB = Format(
    "kplib",
    "kplib (.kp: the count, the capacity, an empty line, `value weight` for each item)",
    ("knapsack",),
    (".kp",),
    _matches,
    _read,
    _write,
)
