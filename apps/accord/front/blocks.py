"""JSON, CSV and markdown tables inside a text: found, read with the place of every number, and set apart from the prose."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.accord.front.numbers import Number
from datamodules.accord.errors import ParseError

__all__ = ["Blocks", "Table", "find_blocks", "role"]

ROLES = {
    "value": "value values profit profits worth price prices benefit benefits utility gain gains reward rewards score v p",
    "weight": "weight weights size sizes mass w volume volumes length lengths height heights cost costs kg lb",
    "demand": "demand demands load loads quantity quantities order q parcels",
    "x": "x xcoord x_coord", "y": "y ycoord y_coord",
    "latitude": "lat latitude", "longitude": "lon lng long longitude",
    "job": "job jobs", "machine": "machine machines m", "time":
        "time times duration durations minutes hours processing_time processing_times"
    ,
    "step": "step operation op sequence position", "count": "count number pieces copies amount",
    "from": "from source start origin", "to": "to target end destination", "distance": "distance dist km travel_time",
    "name": "name id item node city customer customers location stop label place index no # nr",
    "capacity": "capacity capacities limit budget", "fleet": "fleet vehicles trucks", "distances": "distances matrix distance_matrix",
    "coordinates": "coordinates coords xy points cities nodes locations", "depot": "depot", "items": "items", "kind": "kind type problem",
}  # fmt: skip
_ROLE = {word: name for name, words in ROLES.items() for word in words.split()}
_CELL = re.compile(r"[-−+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")


def role(name: str) -> str:
    """What a column or key stands for: Weight (kg) -> weight; empty where it is not known."""
    plain = re.sub(r"\(.*?\)|\[.*?\]", "", name).strip().strip("'\"*`").lower()
    return _ROLE.get(plain) or _ROLE.get(plain.replace(" ", "_")) or next((_ROLE[w] for w in re.split(r"[\s_]+", plain) if w in _ROLE), "")


@dataclass(frozen=True)
class Table:
    """Cells are numbers with their places, or text."""

    header: list[str]
    rows: list[list[Number | str]]

    @property
    def roles(self) -> list[str]:
        return [role(name) for name in self.header]

    def column(self, name: str) -> list[Number | str] | None:
        at = self.roles.index(name) if name in self.roles else None
        return None if at is None else [row[at] for row in self.rows]


@dataclass(frozen=True)
class Blocks:
    objects: list[dict[str, Any]]  # JSON, numbers as Number
    tables: list[Table]
    places: list[tuple[int, int]]


def find_blocks(text: str) -> Blocks:
    objects, places = _json(text)
    rest = text
    for start, end in places:
        rest = rest[:start] + re.sub(r"[^\n]", " ", rest[start:end]) + rest[end:]
    tables, more = _tables(rest)
    return Blocks(objects, tables, places + more)


def _json(text: str) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    objects, places, at = [], [], 0
    for match in re.finditer(r"(?:```(?:json)?\s*)?(?P<open>\{\s*\"|\[\s*\{\s*\")", text):
        start = match.start("open")
        if start < at:
            continue
        try:
            made, end = _decoded(text, start)
        except json.JSONDecodeError as error:
            line = text.count("\n", 0, error.pos) + 1
            raise ParseError(f"line {line}: the JSON is broken there ({error.msg}); mend it or write it as a sentence") from None
        objects += [made] if isinstance(made, dict) else [{"items": made}]
        places.append((match.start(), end))
        at = end
    return objects, places


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The value at `start`, every number with its place: the decoder meets them in the text's order."""
    end = json.JSONDecoder(parse_constant=_refuse).raw_decode(text, start)[1]
    strings = [match.span() for match in re.finditer(r'"(?:[^"\\]|\\.)*"', text[start:end])]
    plain = list(text[start:end])
    for a, b in strings:
        plain[a:b] = '"' * (b - a)
    found = iter(re.finditer(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", "".join(plain)))

    def number(literal: str) -> Number:
        match = next(found)
        return Number(start + match.start(), start + match.end(), Decimal(literal))

    return json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=_refuse).raw_decode(text, start)[0], end


def _refuse(word: str) -> Any:
    raise ParseError(f"{word} in the JSON is no number; give a finite one")


def _tables(text: str) -> tuple[list[Table], list[tuple[int, int]]]:
    """Blocks of lines with one separator, the first of names (two at least known), the others with numbers."""
    lines, at = [], 0
    for line in text.split("\n"):
        lines.append((at, line.rstrip("\r")))
        at += len(line) + 1
    tables, places, k = [], [], 0
    while k < len(lines):
        found = _table(lines, k)
        if found is None:
            k += 1
            continue
        table, after = found
        tables.append(table)
        places.append((lines[k][0], lines[after - 1][0] + len(lines[after - 1][1])))
        k = after
    return tables, places


def _table(lines: list[tuple[int, str]], first: int) -> tuple[Table, int] | None:
    for separator in ("|", "\t", ";", ","):
        header = [name for name, _ in _split(lines[first][1], separator, 0)]
        if len(header) < 2 or any(_CELL.fullmatch(name) for name in header) or not _headed(header):
            continue
        rows, k = [], first + 1
        while k < len(lines):
            start, line = lines[k]
            if separator == "|" and re.fullmatch(r"[\s|:\-]+", line) and "-" in line:
                k += 1
                continue
            cells = _split(line, separator, start)
            row = [_cell(cell, place) for cell, place in cells]
            if len(cells) != len(header) or not any(isinstance(cell, Number) for cell in row):
                break
            rows.append(row)
            k += 1
        if rows:
            return Table(header, rows), k
    return None


def _headed(header: list[str]) -> bool:
    """All names but one are known; those of machines (job, wash, dry, fold) may be any."""
    return role(header[0]) == "job" or len([name for name in header if _heads(name)]) >= len(header) - 1


def _heads(name: str) -> bool:
    return (
        bool(role(name)) or bool(re.fullmatch(r"(?:m|machine|j|job|time on|stage|station)[\s_]*\w*", name.strip(), re.I)) or len(name) <= 1
    )


def _split(line: str, separator: str, start: int) -> list[tuple[str, int]]:
    cells, at = [], 0
    for part in line.split(separator):
        lead = len(part) - len(part.lstrip())
        cells.append((part.strip(), start + at + lead))
        at += len(part) + 1
    if separator == "|":
        cells = [cell for n, cell in enumerate(cells) if cell[0] or 0 < n < len(cells) - 1]
    return cells if len(cells) > 1 else []


def _cell(text: str, start: int) -> Number | str:
    match = _CELL.fullmatch(text)
    if match:
        try:
            return Number(start, start + len(text), Decimal(text.replace("−", "-")))
        except InvalidOperation:  # pragma: no cover
            return text
    return text
