"""SUN Colonoscopy Video Database: caseM/ or renamed/caseM/ with frames, annotation_txt/caseM.txt with boxes, a CSV with the sizes."""

import re
from pathlib import Path

from datamodules.hag.boxes.text import parse_sun
from datamodules.hag.sizes import read_sizes
from datamodules.hag.table import PolypFrame, PolypTable, assemble
from datamodules.store import FolderStore

__all__ = ["is_sun", "read_sun"]

BOXES = "annotation_txt"
NUMBER = re.compile(r"image(\d+)")


def is_sun(path: Path) -> bool:
    return any((path / BOXES).glob("case*.txt")) if (path / BOXES).is_dir() else False


def read_sun(path: Path) -> PolypTable:
    """A case is one polyp of one patient. Sizes: a CSV beside with the columns ID,Size (`6mm`, `15mm-`)."""
    sizes, problems, table = read_sizes(path)
    store = FolderStore(path)
    rows: list[PolypFrame] = []
    without = 0
    for file in sorted((path / BOXES).glob("case*.txt"), key=lambda file: (len(file.stem), file.stem)):
        case = file.stem
        found, wrong, none = parse_sun(file.read_bytes(), str(file))
        problems += wrong
        without += none
        size = sizes.get(case.removeprefix("case"))
        mm, censored = size if size else (None, False)
        for name, marks in found.items():
            number = NUMBER.search(name)
            frame = number[1][-3:] if number else Path(name).stem
            renamed = f"renamed/{case}/image_{frame}.jpg"  # as those who made the released split lists called them
            picture = renamed if f"{case}/{name}" not in store and renamed in store else f"{case}/{name}"
            if len(marks) > 1:
                problems.append(f"{marks[1].where}: {name} has two polyps, but a case has one; keep one line")
            rows.append(PolypFrame(picture, frame, case, case, marks[0].box, mm, censored, where=marks[0].where))
    notes = [f"{without} lines of frames without a polyp are not used"] if without else []
    if not table:
        notes.append("no sizes: a CSV with the columns ID,Size beside the cases would tell them")
    elif unsized := sorted({row.polyp for row in rows if row.mm is None}):
        notes.append(f"{len(unsized)} cases have no size in {table}; the first: {unsized[0]}")
    return assemble("sun", str(path), store, rows, problems, notes)
