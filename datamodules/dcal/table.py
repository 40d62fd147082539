"""What a layout yields: one record a picture, and everything that was wrong, by file and line."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from datamodules.errors import DataError
from datamodules.splits import share_out
from datamodules.store import Store

__all__ = ["SPLITS", "Box", "Record", "Table", "cut", "with_validation", "without_banner", "without_its_banner"]

SPLITS = ("train", "val", "test")
VALIDATION_SHARE = 0.1


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Record(NamedTuple):
    file: str  # in the table's store
    label: int
    class_name: str
    split: str
    box: Box | None = None
    banner: int = 0  # lowest pixel rows that are no part of the picture
    where: str = ""  # list:line that names it, where there is a list


@dataclass(frozen=True)
class Table:
    layout: str
    source: str  # what the user named
    store: Store
    classes: list[str]
    records: list[Record]
    problems: list[str] = field(default_factory=list)  # refused when training
    notes: list[str] = field(default_factory=list)  # told

    def split(self, name: str) -> list[int]:
        """Rows of a split."""
        return [row for row, record in enumerate(self.records) if record.split == name]

    def counts(self) -> dict[str, Counter[str]]:
        """Pictures by split and class."""
        return {split: Counter(record.class_name for record in self.records if record.split == split) for split in SPLITS}


def with_validation(table: Table) -> Table:
    """Where the source has no validation split: 10 % of every class's training pictures, picked by the hash of their names."""
    if any(record.split == "val" for record in table.records):
        return table
    train = [record for record in table.records if record.split == "train"]
    taken = share_out([record.file for record in train], [record.label for record in train], VALIDATION_SHARE)
    records = [r._replace(split="val") if r.split == "train" and r.file in taken else r for r in table.records]
    note = f"no validation split: {len(taken)} of {len(train)} training pictures, {VALIDATION_SHARE:.0%} of every class, picked by name"
    return replace(table, records=records, notes=[*table.notes, note])


def without_banner(picture: np.ndarray, rows: int, name: str) -> np.ndarray:
    """The picture without its lowest rows."""
    if rows >= len(picture):
        raise DataError(f"{name}: {len(picture)} pixel rows, of which the lowest {rows} are a banner: no picture is left; remove it")
    return picture[: len(picture) - rows]


class HasBanner(Protocol):
    @property
    def banner(self) -> int: ...


def without_its_banner(picture: np.ndarray, record: HasBanner, name: str) -> np.ndarray:
    return without_banner(picture, record.banner, name)


def cut(picture: np.ndarray, box: Box) -> np.ndarray:
    """The box's part of the picture; what lies over the border is left out, at least one pixel stays."""
    height, width = picture.shape[:2]
    left, top = min(max(0, round(box.x)), width - 1), min(max(0, round(box.y)), height - 1)
    right, bottom = max(left + 1, min(width, round(box.x + box.width))), max(top + 1, min(height, round(box.y + box.height)))
    return picture[top:bottom, left:right]
