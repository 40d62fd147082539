"""A CSV that names every picture, its label and its split; the pictures lie in folders or in a zip beside it."""

import math
from pathlib import Path

from datamodules.beside import store_beside
from datamodules.csv_rows import csv_rows, header
from datamodules.dcal.table import SPLITS, Box, Record, Table
from datamodules.errors import DataError
from datamodules.splits import share_out
from datamodules.store import Store, inside

__all__ = ["find_index", "read_index"]

BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
TEST_SHARE = 0.2


def find_index(path: Path) -> bool:
    return bool(_indices(path))


def read_index(path: Path) -> Table:
    found = _indices(path)
    if len(found) > 1:
        raise DataError(f"{path}: several indices ({', '.join(file.name for file in found)}); name the CSV itself")
    index = found[0]
    rows, problems, columns = csv_rows(index)
    store = store_beside(index, [row["file"] for _, row in rows])
    notes = []
    kept: list[tuple[int, dict[str, str]]] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        wrong = _wrong(row, store, seen, line)
        if wrong:
            problems.append(f"{index}:{line}: {wrong}")
        else:
            seen[row["file"]] = line
            kept.append((line, row))
    names, clashes = _class_names(index, kept)
    problems += clashes
    labels = _labels([row for _, row in kept if row.get("split", "train").lower() == "train"] or [row for _, row in kept])
    number = {label: position for position, label in enumerate(labels)}
    if labels and all(_is_number(label) for label in labels) and [int(label) for label in labels] != list(range(len(labels))):
        notes.append(f"labels have holes ({labels[0]} to {labels[-1]}, {len(labels)} of them): counted anew from 0, in their order")
    records = []
    for line, row in kept:
        if row["label"] not in number:
            problems.append(f"{index}:{line}: label {row['label']!r} has no training picture; add some or remove the row")
            continue
        split = SPLIT_NAMES.get(row.get("split", "").lower(), "train")
        box = Box(*(float(row[key]) for key in BOX)) if all(row.get(key) for key in BOX) else None
        records.append(Record(row["file"], number[row["label"]], names[row["label"]], split, box, where=f"{index}:{line}"))
    if "split" not in columns:
        test = share_out([record.file for record in records], [record.label for record in records], TEST_SHARE)
        records = [record._replace(split="test") if record.file in test else record for record in records]
        notes.append(
            f"no split column: {len(test)} of {len(records)} pictures, {TEST_SHARE:.0%} of every class, picked by name, are the test split"
        )
    return Table("csv", str(path), store, [names[label] for label in labels], records, problems, notes)


def _indices(path: Path) -> list[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix.lower() == ".csv" else []
    return [file for file in candidates if {"file", "label"} <= set(header(file))]


def _wrong(row: dict[str, str], store: Store, seen: dict[str, int], line: int) -> str | None:
    file = row["file"]
    if not file:
        return "no file name; remove the row"
    if not inside(file):
        return f"{file!r} lies outside the data's folder; name files relative to the CSV"
    if file in seen:
        return f"{file!r} is already in line {seen[file]}; keep one of the two rows"
    if not row["label"]:
        return "no label; fill it in or remove the row"
    split = row.get("split")
    if split is not None and split.lower() not in SPLIT_NAMES:
        return f"split {split!r} is not one of {', '.join(SPLITS)}; correct it"
    given = [row.get(key) for key in BOX if row.get(key)]
    if given:
        if len(given) < len(BOX):
            return f"a box needs all of {', '.join(BOX)}; fill them in or leave all four empty"
        try:
            x, y, width, height = (float(cell) for cell in given if cell)
        except ValueError:
            return f"box {', '.join(str(cell) for cell in given)} is not four numbers; correct it or leave all four empty"
        if not all(math.isfinite(side) for side in (x, y, width, height)) or width <= 0 or height <= 0:
            return f"box {x}, {y}, {width}, {height} has no area; correct it or leave all four empty"
    if file not in store:
        return f"no picture {store.where(file)}; restore it or remove the row"
    return None


def _class_names(index: Path, rows: list[tuple[int, dict[str, str]]]) -> tuple[dict[str, str], list[str]]:
    """Label -> name, and the rows in which the two disagree."""
    names: dict[str, str] = {}
    labels: dict[str, str] = {}
    problems = []
    for line, row in rows:
        label, name = row["label"], row.get("class_name") or row["label"]
        if names.setdefault(label, name) != name:
            problems.append(f"{index}:{line}: label {label} is {name!r} here and {names[label]!r} before; make them agree")
        elif labels.setdefault(name, label) != label:
            problems.append(f"{index}:{line}: class {name!r} has label {label} here and {labels[name]} before; make them agree")
    return names, problems


def _labels(rows: list[dict[str, str]]) -> list[str]:
    labels = {row["label"] for row in rows}
    return sorted(labels, key=int) if all(_is_number(label) for label in labels) else sorted(labels)


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()
