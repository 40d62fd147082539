"""`discern data check` for bags."""

from collections import Counter

import numpy as np

from datamodules.checks import Report, copies, digest, lonely, shorten, unequal
from datamodules.errors import DataError
from datamodules.mil.folds import Parts, official, split
from datamodules.mil.table import BagTable, fingerprint
from datamodules.mil.twins import twin_note

__all__ = ["report"]

FOLDS = 5
SPLITS = ("train", "val", "test")


def report(table: BagTable, recipe: str) -> Report:
    """Every bag is read once; one at a time is in memory."""
    found = Report(
        format=table.layout,
        source=str(table.path),
        counts={},
        classes=len(table.classes),
        problems=[*map(str, table.broken), *table.problems],
        notes=list(table.notes),
        fingerprint=fingerprint(table),
        recipe=recipe,
    )
    if table.own is not None:
        found.options.append("--data.protocol=official")
    parts = _parts(table, found)
    found.counts |= {name: len(getattr(parts, name)) for name in SPLITS} if parts else {"bags": len(table.labels)}
    _labels(table, found)
    lengths, digests = _read(table, found)
    if lengths:
        found.notes.insert(0, _sizes(table, lengths))
    _copies(table, parts, digests, found)
    return found


def _parts(table: BagTable, found: Report) -> Parts | None:
    labels = table.labels.tolist()
    try:
        if table.own is not None:
            return official(labels, table.patients, table.own)
        outer = None if table.outer is None else table.outer[0]
        found.notes.append("splits are those of fold 0" + ("" if outer is None else " of the set's own"))
        return split(labels, table.patients, "clean", 0, FOLDS, 0, outer)
    except DataError as error:
        found.problems.append(f"{table.path}: {error}")
        return None


def _labels(table: BagTable, found: Report) -> None:
    by_class = Counter(table.classes[label] for label in table.labels)
    if len(by_class) < 2:
        found.problems.append(f"{table.path}: {len(by_class)} classes; classification needs two")
        return
    found.notes.append("bags by class: " + ", ".join(f"{name} {by_class[name]:,}" for name in table.classes))
    if single := lonely(by_class, FOLDS):
        found.problems.append(f"{table.path}: fewer than {FOLDS} bags of {shorten(single)}; no fold can train, validate and test on it")
    if unequal(by_class) >= 5:
        found.notes.append(f"largest class {unequal(by_class):.0f} times the smallest: consider --model.class_weights=balanced")


def _read(table: BagTable, found: Report) -> tuple[list[int], dict[str, str]]:
    lengths, digests = [], {}
    for index in range(len(table.bags)):
        try:
            x = table.bags.read(index)
        except DataError as error:
            found.problems.append(str(error))
            continue
        lengths.append(len(x))
        digests[str(index)] = digest(x.tobytes())
    return lengths, digests


def _sizes(table: BagTable, lengths: list[int]) -> str:
    patients = len(set(table.patients))
    of = "" if patients == len(table.patients) else f" of {patients:,} patients"
    encoder = f", encoded by {table.encoder['encoder']}" if "encoder" in table.encoder else ""
    return (
        f"{len(lengths):,} bags{of}, {min(lengths):,} to {max(lengths):,} instances (median {int(np.median(lengths)):,}) "
        f"of {table.bags.width:,} features{encoder}"
    )


def _copies(table: BagTable, parts: Parts | None, digests: dict[str, str], found: Report) -> None:
    """The same bag under two patients is on two sides of some fold, whatever is done."""
    part = {str(row): name for name in SPLITS for row in getattr(parts, name)} if parts else {}
    groups = [[int(row) for row in group] for group in copies(digests)]
    sides = (
        table.outer
        if table.outer is not None
        else np.array([SPLITS.index(part.get(str(row), "train")) for row in range(len(table.labels))])
    )
    found.notes += twin_note(groups, table.labels, sides)
    within = 0
    for rows in groups:
        names = [table.bags.name(row) for row in rows]
        where = sorted({part[str(row)] for row in rows if str(row) in part}, key=SPLITS.index)
        if len({table.labels[row] for row in rows}) > 1:
            found.problems.append(f"same bag under {len({table.labels[row] for row in rows})} labels: {shorten(names)}; decide on one")
        elif table.own is not None and len(where) > 1:
            found.problems.append(f"same bag in {' and '.join(where)}: {shorten(names)}; keep it in one split")
        elif table.own is None and len({table.patients[row] for row in rows}) > 1:
            found.problems.append(f"same bag as different patients: {shorten(names)}; keep one, or name the patient in the label table")
        else:
            within += len(rows) - 1
    if within:
        found.notes.append(f"{within} exact copies of bags on the same side of every split")
