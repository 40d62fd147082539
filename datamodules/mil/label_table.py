"""A CSV that says what is known of slides or patients, in any of the forms in which such tables are handed around.

With a header: slide_id (or slide, id, image), label (or type), and perhaps patient_id (or patient, case_id, case), split, fold, time
and event. Without one: name and label. The names are slides', or patients'.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from datamodules.csv_rows import csv_rows, header
from datamodules.errors import DataError
from datamodules.mil.slide_name import slide_name

__all__ = ["SPLIT_NAMES", "LabelRow", "LabelTable", "by_name", "is_labels", "read_labels"]

SLIDE = ("slide_id", "slide", "id", "image", "image_id", "filename", "file")
LABEL = ("label", "type", "class")
PATIENT = ("patient_id", "patient", "case_id", "case")
KNOWN = ("split", "fold", "time", "event")
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}


class LabelRow(NamedTuple):
    line: int
    slide: str  # "" in a table of patients
    patient: str  # "" where the table does not tell
    label: str
    more: dict[str, str]  # every other column


class LabelTable(NamedTuple):
    path: Path
    rows: list[LabelRow]
    columns: list[str]  # of `more`
    problems: list[str]


def is_labels(path: Path) -> bool:
    """Whether its header, or two columns without one, can be read as labels."""
    columns = header(path)
    if _first(columns, SLIDE + PATIENT) and (_first(columns, LABEL) or {"time", "event"} <= set(columns)):
        return True
    if _first(columns, SLIDE + PATIENT) or {"train", "test"} <= set(columns):  # CLAM's splits name slides, too
        return False
    return len(columns) >= 2 and all(columns[:2])


def read_labels(path: Path) -> LabelTable:
    if not path.is_file():
        raise DataError(f"{path}: no such file; a label table is a CSV with slide_id,label")
    columns = header(path)
    has_header = _first(columns, SLIDE + PATIENT) is not None
    if not has_header and _first(columns, LABEL):
        raise DataError(f"{path}: its header has no column for the slide; call it slide_id")
    if not has_header and len(columns) < 2:
        raise DataError(f"{path}: no table of labels; it needs a header with slide_id and label, or two columns")
    names = None if has_header else ["slide_id", "label", *(f"column {i}" for i in range(3, len(columns) + 1))]
    try:
        rows, problems, columns = csv_rows(path, names)
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV ({error}); save it anew") from None
    slide, label, patient = (_first(columns, kind) for kind in (SLIDE, LABEL, PATIENT))
    if label is None and not {"time", "event"} <= set(columns):
        raise DataError(
            f"{path}: its header ({', '.join(columns)}) has no label, and no time and event; call the column with the answers label"
        )
    others = [name for name in columns if name not in (slide, label, patient, "")]
    found = [
        LabelRow(
            line,
            slide_name(row[slide]) if slide else "",
            row[patient] if patient else "",
            row[label] if label else _event(row["event"]),
            {name: row[name] for name in others},
        )
        for line, row in rows
    ]
    return LabelTable(path, found, others, problems)


def by_name(table: LabelTable, of_patients: bool = False) -> tuple[dict[str, LabelRow], list[str]]:
    """(rows with a label by slide or by patient, problems)"""
    rows: dict[str, LabelRow] = {}
    problems = []
    for row in table.rows:
        name = (row.patient or row.slide) if of_patients else row.slide
        if name in rows:
            problems.append(f"{table.path}:{row.line}: {name!r} is already in line {rows[name].line}; keep one of the two rows")
        elif row.label:
            rows[name] = row
    return rows, problems


def _event(cell: str) -> str:
    """Without labels, bags are spread over folds by whether they were seen to the end."""
    return {"1": "event", "1.0": "event", "true": "event", "0": "censored", "0.0": "censored", "false": "censored"}.get(cell.lower(), "")


def _first(columns: list[str], known: tuple[str, ...]) -> str | None:
    return next((name for name in known if name in columns), None)
