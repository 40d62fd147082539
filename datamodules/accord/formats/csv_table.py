"""A table of ours: CSV with a comma, semicolon or tab, `# key: value` lines above it, and a header or none."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from datamodules.accord.errors import InvalidInstanceError, ParseError, UnsupportedError
from datamodules.accord.formats.numbers import Number, number
from datamodules.accord.formats.shape import is_numeric
from datamodules.accord.formats.source import Source

__all__ = ["IDS", "Table", "quoted", "table_of", "text_of"]

IDS = ("id", "name", "node", "city", "customer", "item", "stop", "label", "from", "")
_KEY = re.compile(r"\s*#\s*([A-Za-z_]+)\s*:\s*(.*?)\s*$")
_SAME = {"profit": "value", "fleet": "vehicles", "duration": "time", "processing_time": "time", "quantity": "demand", "op": "operation"}


@dataclass(frozen=True)
class Table:
    where: str
    keys: dict[str, tuple[str, int]]  # of the lines above it, and their lines
    header: tuple[str, ...]  # in small letters; empty: there is none
    written: tuple[str, ...]  # as it is written
    rows: list[tuple[int, list[str]]]

    def place(self, line: int) -> str:
        return f"{self.where}, line {line}"

    @cached_property
    def ids(self) -> int | None:
        """The column that only names the rows."""
        return next((at for at, name in enumerate(self.header) if name in IDS), None)

    def labels(self, column: int | None, prefix: str = "") -> list[str]:
        """What a column calls the rows: each otherwise, or none at all. prefix: of a name, in what is said"""
        names = [row[column] for _, row in self.rows] if column is not None else []
        if not any(names):
            return []
        seen: dict[str, int] = {}
        for name, (line, _) in zip(names, self.rows, strict=True):
            if not name:
                raise ParseError(f"{self.place(line)}: no {self.written[column or 0] or 'id'}; name every row, or none")
            if name in seen:
                raise InvalidInstanceError(f"{self.place(line)}: {prefix}{name!r} is there twice, first in line {seen[name]}")
            seen[name] = line
        return names

    def column(self, name: str) -> list[tuple[str, str]]:
        """(cell, its place) of each row."""
        if name not in self.header:
            raise ParseError(f"{self.where}: no column {name!r}; there are {', '.join(filter(None, self.header))}")
        at = self.header.index(name)
        return [(row[at], self.place(line)) for line, row in self.rows]

    def numbers(self, name: str, least: int | None = 0, empty: Number | None = None) -> list[Number]:
        """empty: what a cell without anything stands for"""
        return [
            empty if not cell and empty is not None else number(cell or "nothing", place, name, least) for cell, place in self.column(name)
        ]

    def one(self, name: str, meaning: str) -> Number | None:
        """Of a column or key that says one thing for all: None where it is not there."""
        said = [number(self.keys[name][0], self.place(self.keys[name][1]), name)] if name in self.keys else []
        if name in self.header:
            said += [number(cell, place, name) for cell, place in self.column(name) if cell]
        if len(set(said)) > 1:
            raise UnsupportedError(
                f"{self.where}: column {name!r} has {said[0]} and {next(one for one in said if one != said[0])}; "
                f"{meaning}: use PyVRP, VROOM or OR-Tools"
            )
        return said[0] if said else None

    def capacity(self, given: Number | None, meaning: str) -> Number:
        """What the table says, or what is given beside it; both only where they are the same."""
        said = self.one("capacity", meaning)
        if said is None and given is None:
            raise ParseError(f"{self.where}: no capacity; give a column capacity, a line `# capacity: 100` above the table, or --capacity")
        if said is not None and given is not None and said != given:
            raise InvalidInstanceError(f"{self.where}: its capacity is {said}, not {given}; leave --capacity out, or change the file")
        return given if said is None else said  # type: ignore[return-value]

    def key(self, name: str) -> str | None:
        return self.keys[name][0] if name in self.keys else None

    def whole_key(self, name: str) -> int | None:
        value = None if name not in self.keys else number(self.keys[name][0], self.place(self.keys[name][1]), name)
        if value is not None and value != int(value):
            raise ParseError(f"{self.place(self.keys[name][1])}: {name} {value}; a whole number is needed")
        return None if value is None else int(value)


def table_of(source: Source) -> Table:
    keys: dict[str, tuple[str, int]] = {}
    lines: list[tuple[int, str]] = []
    for line, text in source.filled:
        if text.lstrip().startswith("#"):
            if not lines and (found := _KEY.match(text)):
                keys[found[1].lower()] = found[2], line
        else:
            lines.append((line, text))
    if not lines:
        raise ParseError(f"{source.where}: no rows")
    first = lines[0][1]
    mark = max(",;\t", key=first.count)
    try:
        rows = [(line, [cell.strip() for cell in next(csv.reader([text], delimiter=mark, strict=True))]) for line, text in lines]
    except csv.Error as error:
        raise ParseError(f"{source.where}: no CSV ({error})") from None
    header: Sequence[str] = ()
    if _is_header(rows):
        (line, header), rows = rows[0], rows[1:]
        names = [re.sub(r"[\s\-]+", "_", name.lower()) for name in header]
        names = [_SAME.get(name, name) for name in names]
        if twice := [name for name in names if name and names.count(name) > 1]:
            raise ParseError(f"{source.where}, line {line}: two columns {twice[0]!r}")
        if not rows:
            raise ParseError(f"{source.where}, line {line}: a header and no rows")
    else:
        names = []
    width = len(header or rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise ParseError(f"{source.where}, line {line}: {len(row)} cells; {'the header' if header else 'the first row'} has {width}")
    return Table(source.where, keys, tuple(names), tuple(header), rows)


def _is_header(rows: list[tuple[int, list[str]]]) -> bool:
    """Words, or the numbers of the columns above a matrix."""
    first = rows[0][1]
    if not all(is_numeric(cell) for cell in first):
        return True
    if not first[0] and len(rows) == len(first):
        return True
    counted = first[1:] if not first[0] else first
    from_0_or_1 = counted in ([str(at) for at in range(len(counted))], [str(at + 1) for at in range(len(counted))])
    return from_0_or_1 and len(rows) == len(counted) + 1


def text_of(keys: Sequence[tuple[str, object]], header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """keys: those with None are left out"""
    head = [f"# {name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in keys if value is not None]
    cells = [header, *rows] if header else rows
    return "\n".join([*head, *(",".join(quoted(str(cell)) for cell in row) for row in cells), ""])


def quoted(cell: str) -> str:
    """As a cell of a table, so that no mark in it ends it, and it begins no comment."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',;\t"#') else cell
