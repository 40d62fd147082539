"""Text lists as the public sets bring them: one `<id> <value...>` a line. Everything is joined by id, never by line number."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.dcal.table import Box, Record, Table
from datamodules.errors import DataError
from datamodules.store import Store, inside

__all__ = ["Line", "Row", "assemble", "box_of", "by_id", "lines"]


class Line(NamedTuple):
    where: str  # file:line
    id: str
    value: str


class Row(NamedTuple):
    """A picture before classes have numbers."""

    file: str
    key: str | int  # sorts the classes
    class_name: str
    split: str
    box: Box | None
    where: str
    banner: int = 0


def lines(path: Path) -> list[Line]:
    """Split at the first blank only: values may contain blanks."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list in UTF-8 ({error}); fetch it again") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            id_, _, value = line.strip().partition(" ")
            found.append(Line(f"{path}:{number}", id_, value.strip()))
    return found


def by_id(path: Path, problems: list[str]) -> dict[str, Line]:
    """The list as a dict; an id that comes twice counts once and is a problem."""
    found: dict[str, Line] = {}
    for line in lines(path):
        if not line.value:
            problems.append(f"{line.where}: id {line.id!r} has no value; fetch the list again")
        elif line.id in found:
            problems.append(f"{line.where}: id {line.id!r} is already in {found[line.id].where}; keep one of the two lines")
        else:
            found[line.id] = line
    return found


def box_of(line: Line, problems: list[str], *, corners: bool) -> Box | None:
    """`x y width height`, or with `corners` the first and last pixel `x1 y1 x2 y2`, counted from 1."""
    try:
        a, b, c, d = (float(word) for word in line.value.split())
    except ValueError:
        problems.append(f"{line.where}: box {line.value!r} is not four numbers; correct it or fetch the list again")
        return None
    box = Box(a - 1, b - 1, c - a + 1, d - b + 1) if corners else Box(a, b, c, d)
    if not all(abs(side) < 1e9 for side in box) or box.width <= 0 or box.height <= 0:  # NaN compares false
        problems.append(f"{line.where}: box {line.value!r} has no area; correct it or fetch the list again")
        return None
    return box


def assemble(layout: str, source: str, store: Store, rows: Sequence[Row], problems: list[str], notes: list[str]) -> Table:
    """Classes get the numbers 0.. in the order of their keys; pictures that are not there are problems by list and line."""
    kept = []
    for row in rows:
        if not inside(row.file):
            problems.append(f"{row.where}: {row.file!r} lies outside the data's folder; fetch the list again")
        elif row.file not in store:
            problems.append(f"{row.where}: no picture {store.where(row.file)}; restore it or remove the line")
        else:
            kept.append(row)
    names = {row.key: row.class_name for row in kept if row.split == "train"}
    keys = sorted(names)
    number = {key: label for label, key in enumerate(keys)}
    records = []
    for row in kept:
        if row.key not in number:
            problems.append(f"{row.where}: class {row.class_name!r} has no training picture; add some or remove the line")
        else:
            records.append(Record(row.file, number[row.key], names[row.key], row.split, row.box, row.banner, row.where))
    return Table(layout, source, store, [names[key] for key in keys], records, problems, notes)
