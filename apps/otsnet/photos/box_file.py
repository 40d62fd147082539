"""Boxes of words from a file: a CSV, ICDAR's lines of corners, or a JSON; upright boxes and quadrilaterals alike.

CSV: a header with x0,y0,x1,y1, or x,y,width,height, or x1,y1,...,x4,y4, or left,top,right,bottom; maybe file, text and score.
ICDAR: lines of x1,y1,x2,y2,x3,y3,x4,y4 or x0,y0,x1,y1, without a header, each maybe followed by a text; ### is passed by.
JSON: a list of boxes, or an object of such lists by file name. A box is 4 or 8 numbers, four pairs, or an object with one of them as "box",
"quad", "points" or "bbox", and maybe "text" and "score".
"""

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.base.errors import UserError
from datamodules.otsnet.crops import box_quad, quad_problem
from datamodules.otsnet.text_lines import json_of, lines_of, read_list

__all__ = ["Box", "BoxFile", "read_boxes"]

QUAD = tuple(f"{axis}{corner}" for corner in (1, 2, 3, 4) for axis in "xy")
SIDES = (("x0", "y0", "x1", "y1"), ("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax"))
SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
NAMES = ("file", "image", "filename", "file_name", "path")
NOT_CARED_FOR = "###"


class Box(NamedTuple):
    quad_42: np.ndarray  # float32, clockwise from the text's top left
    score: float
    text: str | None  # what stands there, where the file says it
    where: str


class BoxFile:
    """Boxes by photograph; those of a file that names none belong to every one."""

    def __init__(self, path: str, boxes: dict[str, list[Box]]) -> None:
        self.path, self._boxes = path, boxes

    def names_files(self) -> bool:
        return set(self._boxes) != {""}

    def of(self, photograph: str) -> list[Box]:
        """By the path as it is written, else by the name alone."""
        if not self.names_files():
            return self._boxes[""]
        for key in (photograph, Path(photograph).as_posix(), Path(photograph).name):
            if key in self._boxes:
                return self._boxes[key]
        ends = [key for key in self._boxes if Path(photograph).as_posix().endswith(f"/{key}")]
        return self._boxes[ends[0]] if ends else []


def read_boxes(path: str) -> BoxFile:
    try:
        data = read_list(Path(path))
    except ValueError as error:
        raise UserError(str(error)) from None
    if not data.strip():
        raise UserError(f"{path}: empty file; a line or an entry for each word")
    found: dict[str, list[Box]] = {}
    try:
        head = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        entries = _of_json(data, path) if head in (b"[", b"{") else _of_lines(data, path)
        for file, box in entries:
            found.setdefault(file, []).append(box)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not found:
        raise UserError(f"{path}: no box in it; a line or an entry for each word")
    if "" in found and len(found) > 1:
        raise UserError(f"{path}: some boxes name a photograph and some none; name it for all or for none")
    return BoxFile(path, found)


def _of_lines(data: bytes, path: str) -> Iterator[tuple[str, Box]]:
    rows = lines_of(data, path)
    begin, first = next(rows)
    columns = [cell.strip().lower() for cell in next(csv.reader([first]))]
    if not _is_number(columns[0]) and any(name in columns for name in (*QUAD, "x", "x0", "left", "xmin")):
        yield from _of_csv(rows, columns, path)
        return
    for number, line in chain([(begin, first)], rows):
        where = f"{path}:{number}"
        cells = line.split(",")
        count = 8 if len(cells) >= 8 and all(map(_is_number, cells[:8])) else 4
        if len(cells) < count or not all(map(_is_number, cells[:count])):
            raise UserError(f"{where}: neither 4 nor 8 numbers at its beginning; correct the line, or give a header")
        text = ",".join(cells[count:])  # a text may hold commas
        if text.strip() != NOT_CARED_FOR:
            yield "", _box([float(cell) for cell in cells[:count]], None, text or None, where)


def _of_csv(rows: Iterator[tuple[int, str]], columns: list[str], path: str) -> Iterator[tuple[str, Box]]:
    sides = next((names for names in (QUAD, *SIDES, *SIZES) if set(names) <= set(columns)), None)
    if sides is None:
        raise UserError(f"{path}: its header has none of x1,y1,...,x4,y4; x0,y0,x1,y1; x,y,width,height: {','.join(columns)}; name them so")
    file = next((name for name in NAMES if name in columns), None)
    for number, line in rows:
        where = f"{path}:{number}"
        cells = next(csv.reader([line]))
        if len(cells) != len(columns):
            raise UserError(f"{where}: {len(cells)} cells for {len(columns)} columns; correct the line")
        row = dict(zip(columns, cells, strict=True))
        if bad := [name for name in (*sides, *(["score"] if "score" in row else [])) if not _is_number(row[name])]:
            raise UserError(f"{where}: {bad[0]} is {row[bad[0]]!r}, no number; correct it")
        values = [float(row[name]) for name in sides]
        if sides in SIZES:
            values = list(box_quad(*values))
        score = float(row["score"]) if "score" in row else None
        yield row[file].strip() if file else "", _box(values, score, row.get("text") or None, where)


def _of_json(data: bytes, path: str) -> Iterator[tuple[str, Box]]:
    found = json_of(data.removeprefix(b"\xef\xbb\xbf"), path)
    if isinstance(found, dict) and isinstance(found.get("boxes"), list):
        found = found["boxes"]
    for file, entries in found.items() if isinstance(found, dict) else [("", found)]:
        place = f"{path}: {file}" if file else path
        if not isinstance(entries, list):
            raise UserError(f"{place}: no list of boxes; write [[x0, y0, x1, y1], ...]")
        for number, entry in enumerate(entries, 1):
            where = f"{place}, box {number}"
            said = entry if isinstance(entry, dict) else {}
            raw = next((said[key] for key in ("box", "quad", "points", "bbox") if key in said), None) if said else entry
            name = str(next((said[key] for key in NAMES if key in said), file))
            score = said.get("score")
            if score is not None and not _is_finite(score):
                raise UserError(f"{where}: score {score!r} is no number; correct it")
            text = said.get("text")
            yield name, _box(_flat(raw, where), score, None if text is None else str(text), where)


def _flat(raw: Any, where: str) -> list[float]:
    if isinstance(raw, Sequence) and not isinstance(raw, str):
        values = [value for part in raw for value in (part if isinstance(part, list) else [part])]
        if len(values) in (4, 8) and all(map(_is_finite, values)):
            return [float(value) for value in values]
    raise UserError(f"{where}: not 4 or 8 finite numbers; write [x0, y0, x1, y1] or the four corners")


def _box(values: list[float], score: float | None, text: str | None, where: str) -> Box:
    if not all(map(math.isfinite, values)):
        raise UserError(f"{where}: a corner is not finite; correct it")
    if len(values) == 4:
        x0, y0, x1, y1 = values
        values = [x0, y0, x1, y0, x1, y1, x0, y1]
        if x1 <= x0 or y1 <= y0:
            raise UserError(f"{where}: {x0:g},{y0:g},{x1:g},{y1:g} ends before it begins; an upright box is x0,y0,x1,y1")
    if wrong := quad_problem(tuple(values)):  # type: ignore[arg-type]
        raise UserError(f"{where}: {wrong}; correct or remove it")
    return Box(np.array(values, np.float32).reshape(4, 2), 1.0 if score is None else float(score), text, where)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
