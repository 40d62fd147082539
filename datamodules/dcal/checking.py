"""`discern data check` for classified pictures."""

from datamodules.checks import Report, copies, lonely, shorten, unequal
from datamodules.dcal.table import SPLITS, Record, Table, without_its_banner
from datamodules.look import Seen, look_at, named, near_pairs, picture_notes
from datamodules.store import fingerprint

__all__ = ["report"]


def report(table: Table, *, near: bool = False) -> Report:
    """Every picture is read and decoded once."""
    seen, damaged = look_at(table.store, table.records, near=near, view=without_its_banner)
    result = Report(
        format=table.layout,
        source=table.source,
        counts={split: len(table.split(split)) for split in SPLITS},
        classes=len(table.classes),
        problems=table.problems + damaged,
        notes=list(table.notes),
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
    )
    _labels(table, result)
    _copies(table, seen, result)
    _near(table, seen, result)
    result.notes += picture_notes(table.records, seen)
    if passing := [named(record) for record in table.records if _passes(record, seen)]:
        result.notes.append(f"{len(passing)} boxes over the border by more than a pixel (clamped): {shorten(passing, 3)}")
    return result


def _labels(table: Table, result: Report) -> None:
    train = table.counts()["train"]
    if len(table.classes) < 2:
        result.problems.append(f"{table.source}: {len(table.classes)} classes with training pictures; classification needs two")
    if single := lonely(train):
        result.problems.append(f"{len(single)} classes have one training picture: {shorten(single)}; add some or leave them out")
    if train and unequal(train) >= 5:
        result.notes.append(f"largest class {unequal(train):.0f} times the smallest: consider --data.balanced=true")
    if not result.counts["test"]:
        result.notes.append("no test split: 'test' will have nothing to measure")


def _copies(table: Table, seen: dict[str, Seen], result: Report) -> None:
    records = {record.file: record for record in table.records}
    within = 0
    for group in copies({file: look.digest for file, look in seen.items()}):
        splits = sorted({records[file].split for file in group}, key=SPLITS.index)
        names = {records[file].class_name for file in group}
        if len(names) > 1:
            result.problems.append(f"same picture under {len(names)} labels: {shorten(group)}; decide on one")
        elif len(splits) > 1:
            result.problems.append(f"same picture in {' and '.join(splits)}: {shorten(group)}; keep it in one split")
        else:
            within += len(group) - 1
    if within:
        result.notes.append(f"{within} exact copies within a split and class")


def _near(table: Table, seen: dict[str, Seen], result: Report) -> None:
    records = {record.file: record for record in table.records}
    for file, other_file, alike in near_pairs(records, seen):
        one, other = records[file], records[other_file]
        words = f"{one.file} ({one.split}) and {other.file} ({other.split}) correlate {alike:.3f}"
        if one.split != other.split:
            result.problems.append(f"near-copies across splits: {words}; look at them and keep one")
        else:
            result.notes.append(f"near-copies within a split: {words}")


def _passes(record: Record, seen: dict[str, Seen]) -> bool:
    if record.box is None or record.file not in seen:
        return False
    height, width = seen[record.file].size
    box = record.box
    return min(box.x, box.y) < -1 or box.x + box.width > width + 1 or box.y + box.height > height + 1
