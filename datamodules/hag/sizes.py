"""Sizes of polyps as tables write them."""

import re
from pathlib import Path

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError

__all__ = ["Size", "mm_of", "parse_size", "read_sizes"]

Size = tuple[float, bool]  # mm, and whether the polyp has this size or more
WRITTEN = re.compile(r"^(\d+(?:\.\d+)?)\s*mm(-)?$")
NAMES, SIZES = ("id", "case", "polyp", "unique_object_id"), ("size", "size_raw", "mm")
LARGEST = 200.0


def parse_size(text: str) -> Size:
    """`6mm`, or `15mm-`: 15 mm or more. Anything else, `10-15mm` too, is refused: half of it would be a guess."""
    match = WRITTEN.match(text.strip())
    if match is None:
        raise DataError(f"size {text!r} is not a number of mm ('6mm', or '15mm-' for 15 mm or more); correct it or leave it empty")
    return _sane(float(match[1]), text), match[2] is not None


def mm_of(text: str) -> Size | None:
    """A cell with a size: a number of mm or as `parse_size` has it; None where it is empty or says that it is not known."""
    if text.strip().lower() in ("", "na", "n/a", "nan", "none", "unknown"):
        return None
    try:
        return _sane(float(text), text), False
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        return parse_size(text)


def read_sizes(folder: Path) -> tuple[dict[str, Size | None], list[str], str]:
    """(size by polyp, what is wrong, the table's name) of the one CSV here with a name and a size; nothing where there is none."""
    tables = [file for file in sorted(folder.glob("*.csv")) if set(header(file)) & set(NAMES) and set(header(file)) & set(SIZES)]
    if not tables:
        return {}, [], ""
    if len(tables) > 1:
        raise DataError(f"{folder}: several tables of sizes ({', '.join(file.name for file in tables)}); keep one of them here")
    rows, problems, columns = csv_rows(tables[0])
    name, size = (next(column for column in choice if column in columns) for choice in (NAMES, SIZES))
    found: dict[str, Size | None] = {}
    for line, row in rows:
        where = f"{tables[0]}:{line}"
        key = row[name].lower().removeprefix("case").lstrip("0") or row[name]
        if key in found:
            problems.append(f"{where}: {name} {row[name]!r} is there twice; keep one line")
            continue
        try:
            found[key] = mm_of(row[size])
        except DataError as error:
            problems.append(f"{where}: {error}")
    return found, problems, tables[0].name


def _sane(mm: float, text: str) -> float:
    if not 0 < mm <= LARGEST:
        raise DataError(f"size {text!r} does not lie in 0..{LARGEST:g} mm; correct it or leave it empty")
    return mm
