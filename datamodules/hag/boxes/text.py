"""Boxes in text files: one line a box."""

import re

from datamodules.errors import DataError
from datamodules.hag.boxes.marked import Marked
from datamodules.hag.table import Box, box_problem

__all__ = ["lines_of", "parse_polyp_txt", "parse_sun", "parse_yolo"]

SUN_LINE = re.compile(r"^(\S.*?\.\w+)\s+([^\s,]+),([^\s,]+),([^\s,]+),([^\s,]+),(\d+)$")
POLYP, NONE = "0", "1"  # classes of SUN


def lines_of(data: bytes, where: str) -> list[tuple[int, str]]:
    """(number, line) of all that are not empty."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{where}: not text in UTF-8; restore the file") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def parse_sun(data: bytes, where: str) -> tuple[dict[str, list[Marked]], list[str], int]:
    """Lines `NAME.jpg xmin,ymin,xmax,ymax,class`: (boxes by image, what is wrong, how many lines are without a polyp)."""
    found: dict[str, list[Marked]] = {}
    problems, without = [], 0
    for number, line in lines_of(data, where):
        called, match = f"{where}:{number}", SUN_LINE.match(line)
        if match is None:
            problems.append(f"{called}: {line[:60]!r} is not 'NAME.jpg xmin,ymin,xmax,ymax,class'; correct or remove the line")
            continue
        name, *cells, kind = match.groups()
        if kind == NONE:
            without += 1
            continue
        if kind != POLYP:
            problems.append(f"{called}: class {kind} is neither 0 (polyp) nor 1 (none); correct or remove the line")
            continue
        box, wrong = _numbers(cells)
        if box is None:
            problems.append(f"{called}: {wrong}")
        else:
            found.setdefault(name, []).append(Marked(box, where=called))
    return found, problems, without


def parse_yolo(data: bytes, where: str) -> tuple[list[Marked], list[str]]:
    """Lines `class cx cy width height`, all but the class in 0..1 of the frame."""
    found, problems = [], []
    for number, line in lines_of(data, where):
        called, cells = f"{where}:{number}", line.split()
        try:
            cx, cy, width, height = (float(cell) for cell in cells[1:5])
        except ValueError:
            problems.append(f"{called}: {line[:60]!r} is not 'class cx cy width height'; correct or remove the line")
            continue
        corners = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
        if wrong := box_problem(corners) or ("" if max(cx, cy, width, height) <= 1 else "numbers above 1 are no shares of the frame"):
            problems.append(f"{called}: {wrong}")
        else:
            found.append(Marked(corners, relative=True, where=called))
    return found, problems


def parse_polyp_txt(data: bytes, where: str) -> tuple[list[Marked], list[str]]:
    """Lines `polyp xmin ymin xmax ymax`, as PolypGen has them; an empty file is a frame without a polyp."""
    found, problems = [], []
    for number, line in lines_of(data, where):
        called, cells = f"{where}:{number}", line.split()
        box, wrong = _numbers(cells[1:]) if len(cells) == 5 else (None, f"{line[:60]!r} is not 'polyp xmin ymin xmax ymax'")
        if box is None:
            problems.append(f"{called}: {wrong}; correct or remove the line")
        else:
            found.append(Marked(box, where=called))
    return found, problems


def _numbers(cells: list[str]) -> tuple[Box | None, str]:
    """(four corners, what is wrong with them)."""
    try:
        left, top, right, lower = (float(cell) for cell in cells[:4])
    except ValueError:
        return None, f"{' '.join(cells)[:60]!r} are not four numbers"
    wrong = box_problem((left, top, right, lower))
    return (None, wrong) if wrong else ((left, top, right, lower), "")
