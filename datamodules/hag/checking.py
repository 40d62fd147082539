"""`discern data check` for frames of polyps: what flatters a result is said before it is made."""

from collections import Counter

import numpy as np

from datamodules.checks import Report, copies, shorten
from datamodules.hag.classes import SIZE_CLASSES, size_class
from datamodules.hag.paper_csv_layout import ROOTS
from datamodules.hag.protocols import crossing
from datamodules.hag.table import PolypTable
from datamodules.look import Seen, look_at, near_pairs, picture_notes
from datamodules.store import fingerprint

__all__ = ["report"]

FEW = 19  # polyps from which on an interval of 95 % can be calibrated


def report(table: PolypTable, *, near: bool = False) -> Report:
    """Every frame is read and decoded once."""
    seen, damaged = look_at(table.store, table.records, near=near)
    classes = [] if table.sized else table.classes
    result = Report(
        format=table.layout,
        source=table.source,
        counts={split: len(table.rows(split)) for split in ("train", "val", "test")},
        classes=len(classes) if classes else len(table.polyps),
        problems=table.problems + damaged,
        notes=list(table.notes),
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
        unit="classes" if classes else "polyps",
    )
    if table.layout == "paper-csv":
        result.options = [f"--data.roots.{name}=FOLDER" for name in ROOTS]
    if not table.records:
        return result
    _targets(table, result)
    _sides(table, result)
    _boxes(table, seen, result)
    _copies(table, seen, result)
    if near:
        _near(table, seen, result)
    result.notes += picture_notes(table.records, seen)
    return result


def _targets(table: PolypTable, result: Report) -> None:
    if table.classes and not table.sized:
        result.recipe = "cifar"
        return
    sizes = {record.polyp: record for record in table.records if record.mm is not None}
    if not sizes:
        masks = any(record.mask or record.area is not None for record in table.records)
        result.recipe = "kvasir" if masks else result.recipe
        result.notes.append(
            "no sizes in mm: " + ("the area of the mask can be learned instead" if masks else "nothing can be learned from it")
        )
        return
    counts = Counter(SIZE_CLASSES[size_class(record.mm)] for record in sizes.values())
    words = ", ".join(f"{name} {counts[name]}" for name in SIZE_CLASSES)
    censored = sum(record.censored for record in sizes.values())
    result.notes.append(
        f"{len(sizes)} of {len(table.polyps)} polyps have a size: {words}" + (f"; {censored} of them or more" if censored else "")
    )
    values = np.array([record.mm for record in sizes.values()])
    piled = float(np.mean(np.isin(values, [3, 5, 10, 15, 20])))
    if piled > 0.4:
        result.notes.append(f"{piled:.0%} of the sizes are 3, 5, 10, 15 or 20 mm: they were read by eye, and carry an error of millimetres")
    val = len({record.polyp for record in table.of("val") if record.mm is not None})
    if val < FEW:
        result.notes.append(f"{val} polyps with a size for validation: an interval of 95 % needs {FEW}")


def _sides(table: PolypTable, result: Report) -> None:
    frames = Counter(record.polyp for record in table.records)
    if frames and (table.sized or not table.classes) and max(frames.values()) > 1:
        counts = sorted(frames.values())
        result.notes.append(f"{counts[0]} to {counts[-1]} frames a polyp, {counts[len(counts) // 2]} in the middle")
    if names := crossing(table, by_patient=True):
        result.notes.append(f"{len(names)} polyps, patients or near-copies are on two sides of the split: {shorten(names, 3)}")
    for split in ("train", "val", "test"):
        if not table.rows(split):
            result.problems.append(f"{table.source}: no frame in the split {split}; more polyps are needed")


def _boxes(table: PolypTable, seen: dict[str, Seen], result: Report) -> None:
    passing, bare = [], 0
    for record in table.records:
        if record.box is None:
            bare += 1
        elif record.file in seen:
            height, width = seen[record.file].size
            if record.box[2] > width + 1 or record.box[3] > height + 1:
                passing.append(f"{record.where or record.file} ({width} x {height})")
    if passing:
        result.problems.append(
            f"{len(passing)} boxes reach over the border of the picture itself: {shorten(passing, 3)}; are the frames resized?"
        )
    if bare and bare < len(table.records):
        result.notes.append(f"{bare} frames without a box: the whole frame counts")


def _copies(table: PolypTable, seen: dict[str, Seen], result: Report) -> None:
    records, within = {record.file: record for record in table.records}, 0
    for group in copies({file: look.digest for file, look in seen.items()}):
        splits = sorted({records[file].split for file in group})
        if len(splits) > 1:
            result.problems.append(f"same picture in {' and '.join(splits)}: {shorten(group)}; keep it in one split")
        elif len({(records[file].mm, records[file].label) for file in group}) > 1:
            result.problems.append(f"same picture with several sizes or labels: {shorten(group)}; decide on one")
        else:
            within += len(group) - 1
    if within:
        result.notes.append(f"{within} exact copies within a split")


def _near(table: PolypTable, seen: dict[str, Seen], result: Report) -> None:
    records, within = {record.file: record for record in table.records}, 0
    for file, other_file, alike in near_pairs(records, seen):
        one, other = records[file], records[other_file]
        if one.split != other.split:
            result.problems.append(
                f"near-copies across splits: {file} ({one.split}) and {other_file} ({other.split}) correlate {alike:.3f}"
            )
        else:
            within += 1
    if within:
        result.notes.append(f"{within} pairs of near-copies within a split")
