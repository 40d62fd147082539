"""Pisinger's and the low-dimensional knapsacks: `n capacity`, then `value weight` for each item.

Some files end with a line of 0 and 1, a choice that is not guaranteed to be the best: it is not read, and a note says so.
"""

from collections.abc import Sequence

from datamodules.accord.errors import ParseError
from datamodules.accord.formats.format import Format, Options
from datamodules.accord.formats.item_lines import knapsack_lines, knapsack_of
from datamodules.accord.formats.numbers import number, whole
from datamodules.accord.formats.shape import first_widths, is_numeric
from datamodules.accord.formats.source import Source
from datamodules.accord.instances import Instance, Knapsack

__all__ = ["KNAPSACK_TEXT"]


def _matches(source: Source) -> bool:
    widths = first_widths(source)
    if widths is None or widths[:1] != [2] or (len(widths) > 1 and widths[1] != 2):
        return False
    head, *rows = (line for _, line in source.filled if not line.lstrip().startswith("#"))
    return not (head.split()[1] == "1" and rows and all(row.split()[0] == "0" for row in rows))  # a job shop of one machine


def _read(source: Source, options: Options) -> list[Instance]:
    if not source.filled:
        raise ParseError(f"{source.where}: empty")
    line, head = source.filled[0]
    place, words = f"{source.where}, line {line}", head.split()
    if len(words) != 2:
        raise ParseError(f"{place}: {len(words)} words; `items capacity` are two numbers")
    count, capacity = whole(words[0], place, "number of items"), number(words[1], place, "capacity")
    rows = source.filled[1:]
    tail = [text for _, text in rows[count:]]
    notes = []
    if tail:
        choice = [word for text in tail for word in text.split()]
        if len(choice) != count or not all(is_numeric(text) for text in tail) or not set(choice) <= {"0", "1"}:
            raise ParseError(
                f"{source.where}, line {rows[count][0]}: more lines than {count} items; the first line says how many there are"
            )
        notes.append("the line of 0 and 1 after the items was not read: such a choice is not guaranteed to be the best")
    return [knapsack_of(source, rows[:count], count, capacity, notes)]


def _write(instances: Sequence[Instance]) -> str:
    (one,) = instances
    assert isinstance(one, Knapsack)
    capacity, items = knapsack_lines(one)
    return "\n".join([f"{one.size} {capacity}", *items, ""])


KNAPSACK_TEXT = Format(
    "knapsack",
    "a knapsack (`items capacity`, then `value weight` for each item)",
    ("knapsack",),
    (".txt", ".knap"),
    _matches,
    _read,
    _write,
)
