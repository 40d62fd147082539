"""What a layout of polyp frames yields: one record for each polyp on each frame, and everything that was wrong, by file and line."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.store import Store, inside

__all__ = ["SPLITS", "Box", "PolypFrame", "PolypTable", "assemble", "box_problem", "clip", "names_of"]

SPLITS = ("train", "gates", "val", "test")
Box = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax in pixels, the maxima exclusive


class PolypFrame(NamedTuple):
    file: str  # in the table's store
    frame: str  # as the source numbers it; "001" stays "001"
    polyp: str
    patient: str  # video, patient, case or sequence: whatever is known to be one person's
    box: Box | None = None  # None: not known, the whole frame counts
    mm: float | None = None
    censored: bool = False  # the polyp has this size or more
    label: str = ""  # of a classification set
    area: float | None = None  # share of the frame that the polyp's mask fills
    mask: str = ""  # file of the mask, in the store
    centre: str = ""
    split: str = ""  # one of SPLITS; empty: the source does not say
    fold: int = -1  # of a source that has some, from 0
    group: str = ""  # frames that are near-copies of each other; empty: alone
    where: str = ""  # list:line that names it, where there is a list
    shape: tuple[int, int] | None = None  # width, height of the frame, where the source says so


@dataclass(frozen=True)
class PolypTable:
    layout: str
    source: str  # what the user named
    store: Store
    records: list[PolypFrame]
    problems: list[str] = field(default_factory=list)  # refused when training
    notes: list[str] = field(default_factory=list)  # told
    folds: int = 0  # that the source brings
    alone: bool = False  # nothing tells which frames are of one person: near-copies must be looked for

    def rows(self, *splits: str) -> list[int]:
        return [row for row, record in enumerate(self.records) if record.split in splits]

    def of(self, *splits: str) -> list[PolypFrame]:
        return [record for record in self.records if record.split in splits]

    @cached_property
    def polyps(self) -> list[str]:
        return sorted({record.polyp for record in self.records})

    @cached_property
    def classes(self) -> list[str]:
        """Of a classification set."""
        return sorted({record.label for record in self.records if record.label})

    @cached_property
    def sized(self) -> bool:
        return any(record.mm is not None for record in self.records)

    @cached_property
    def polyp_numbers(self) -> np.ndarray:
        """int64 (n,): the polyp of every record, as a place in `polyps`."""
        number = {name: at for at, name in enumerate(self.polyps)}
        return np.array([number[record.polyp] for record in self.records], np.int64)


def clip(box: Box, width: float, height: float) -> tuple[Box, bool]:
    """(the part of the box within the frame, whether it reached over the border)."""
    left, top, right, lower = box
    inner = (min(max(left, 0.0), width), min(max(top, 0.0), height), min(max(right, 0.0), width), min(max(lower, 0.0), height))
    return inner, inner != box


def names_of(records: Iterable[PolypFrame]) -> str:
    """A hash of which polyps on which frames these are, in any order."""
    names = sorted(f"{record.file}\0{record.polyp}\n" for record in records)
    return hashlib.sha256("".join(names).encode()).hexdigest()[:32]


def box_problem(box: Iterable[float]) -> str:
    """What is wrong with a box, or nothing."""
    left, top, right, lower = box
    if not all(np.isfinite([left, top, right, lower])):
        return f"box {left:g},{top:g},{right:g},{lower:g} is not of finite numbers"
    if right <= left or lower <= top:
        return f"box {left:g},{top:g},{right:g},{lower:g} is empty: its maxima must be greater than its minima"
    return ""


def assemble(
    layout: str,
    source: str,
    store: Store,
    rows: Iterable[PolypFrame],
    problems: Iterable[str] = (),
    notes: Iterable[str] = (),
    folds: int = 0,
    alone: bool = False,
) -> PolypTable:
    """Frames that are not there, or that are named twice with one polyp, are problems by list and line."""
    problems, kept = list(problems), {}
    sizes: dict[str, tuple[float | None, str]] = {}
    for row in rows:
        named = row.where or store.where(row.file)
        key = (row.file, row.polyp)
        mm, first = sizes.setdefault(row.polyp, (row.mm, named))
        if not inside(row.file):
            problems.append(f"{named}: {row.file!r} lies outside the data's folder; write its path below that")
        elif key in kept:
            problems.append(f"{named}: {row.file!r} with polyp {row.polyp!r} is there already; keep one of the two")
        elif row.file not in store:
            problems.append(f"{named}: no image {store.where(row.file)}; restore it or remove the line")
        elif row.mask and row.mask not in store:
            problems.append(f"{named}: no mask {store.where(row.mask)}; restore it or remove the line")
        elif row.mm != mm:
            problems.append(f"{named}: polyp {row.polyp!r} has {_mm(row.mm)} here and {_mm(mm)} at {first}; decide on one")
        else:
            kept[key] = row
    if not kept and not problems:
        raise DataError(f"{source}: {layout} without a single frame of a polyp; see 'discern data check'")
    return PolypTable(layout, source, store, list(kept.values()), problems, list(notes), folds, alone)


def _mm(value: float | None) -> str:
    return "no size" if value is None else f"{value:g} mm"
