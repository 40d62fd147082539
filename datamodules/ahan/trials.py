"""What a finished model is tried on: images, whose they are, and pairs to compare - of a set on disk in any layout, or made by code.

Shapes: M images, N pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from datamodules.ahan.datamodule import TwinFaces
from datamodules.ahan.dataset import MAX_PIXELS, OnDisk
from datamodules.ahan.layouts import detect
from datamodules.ahan.pairs import Pairs, draw_pairs
from datamodules.ahan.table import FaceTable, with_splits
from datamodules.errors import DataError
from datamodules.pictures import decode

__all__ = ["EMBEDDED", "SPLITS", "Split", "Trials", "open_trials"]

EMBEDDED = "embedded"  # the word for the faces made by code
Split = Literal["train", "val", "test", "all"]
SPLITS = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Trials:
    """Only images that stand in a pair."""

    name: str
    numbers: np.ndarray  # int64 (M,4): person, family, visit, row of the source
    pairs: Pairs  # by places in numbers
    face: Callable[[int], np.ndarray]  # of a place: aligned as the source says, uint8 (S,S,3)
    photograph: Callable[[int], np.ndarray]  # as it lies there, uint8 (H,W,3)
    twins: np.ndarray  # int64 (M,): a number that twins share
    split: str  # what of the source they are: a split, all, or folds
    files: list[str] = field(default_factory=list)  # in the source, of every place; empty: made by code
    notes: list[str] = field(default_factory=list)
    kin: bool = False  # "same" means kin, and the two are often cut from one photograph


def open_trials(
    word: str, size: int, usual: Split, split: Split | None = None, folds: list[int] | None = None, general: int = 0, seed: int = 0
) -> Trials:
    """The pairs of the source's own list where it has one, within the split; else all genuine and all twin pairs of the split, across
    visits, and as many of strangers, or `general` of them if that is more.

    usual: the split where none is named; a list whose images are all of one split is taken whole then
    folds: of a list that has some, those that are taken
    """
    if word == EMBEDDED and not Path(word).exists():
        return _embedded(size, split or usual, folds, general, seed)
    source = detect(word)
    table = source.kind.read(source.path)
    if not table.pairs or (folds is None and split != "all"):
        table = with_splits(table)
    if table.problems:
        more = f" (and {len(table.problems) - 1} more; 'discern data check {word}' lists all)" if len(table.problems) > 1 else ""
        raise DataError(f"{table.problems[0]}{more}")
    numbers = table.numbers
    if table.pairs:
        pairs, part, words = _listed(table, usual, split, folds, word)
        notes = [*table.notes, words]
    else:
        if folds is not None:
            raise DataError(f"{word}: folds are of a list of pairs, and it has none; leave them out")
        part = split or usual
        rows = np.arange(len(numbers)) if part == "all" else np.array(table.rows(part), np.int64)
        pairs = _drawn(numbers[rows], table.twins[rows], general, seed, f"{word}, {part}")
        pairs = pairs._replace(first=rows[pairs.first], second=rows[pairs.second])
        notes = [*table.notes, f"pairs drawn from the split {part}, seed {seed}"]
    return _used(Path(word).resolve().name, table, numbers, pairs, part, size, notes)


def _embedded(size: int, split: Split, folds: list[int] | None, general: int, seed: int) -> Trials:
    if folds is not None:
        raise DataError(f"{EMBEDDED}: faces made by code have no folds; leave them out")
    data = TwinFaces(size=size)
    parts = SPLITS[:3] if split == "all" else (split,)
    numbers = np.concatenate([data.numbers(part) for part in parts])
    pairs = _drawn(numbers, numbers[:, 1], general, seed, f"{EMBEDDED}, {split}")

    def face(place: int) -> np.ndarray:
        return data.picture(int(numbers[place, 3]))

    return Trials(
        "faces made by code", numbers, pairs, face, face, numbers[:, 1], split, notes=[f"pairs drawn from the split {split}, seed {seed}"]
    )


def _drawn(numbers: np.ndarray, twins: np.ndarray, general: int, seed: int, where: str) -> Pairs:
    person, family, visit, _ = numbers.T
    pairs = draw_pairs(person, family, visit, seed, twins=twins)
    if not pairs.same.any():
        raise DataError(f"{where}: no genuine pair: nobody has images of two visits; name another split, or another set")
    return pairs if general <= pairs.same.sum() else draw_pairs(person, family, visit, seed, general, twins=twins)


def _listed(table: FaceTable, usual: Split, split: Split | None, folds: list[int] | None, where: str) -> tuple[Pairs, str, str]:
    """(pairs, what of the list they are, the same in words). What a model was trained on must not be what it is tried on."""
    pairs = table.named_pairs()
    named, whole = len(pairs.first), f"all {len(pairs.first)} pairs that its list names"
    if folds is not None:
        if split is not None:
            raise DataError(f"{where}: a split and folds both say which part of its list; give one of the two")
        pairs, part = _folded(pairs, folds, where), f"folds {', '.join(map(str, folds))}"
        return pairs, part, f"{len(pairs.first)} of the {named} pairs that its list names: {part}"
    of = np.array([record.split for record in table.records])
    first, second = of[pairs.first], of[pairs.second]
    there = sorted({*first.tolist(), *second.tolist()})
    if split == "all" or (split is None and len(there) == 1):
        return pairs, "all", whole
    split = split or usual
    keep = (first == split) & (second == split)
    if not keep.any():
        raise DataError(
            f"{where}: no pair of its list lies in the split {split}; its images are of {', '.join(there)}; name another, or all"
        )
    return Pairs(*(column[keep] for column in pairs)), split, f"{keep.sum()} of the {named} pairs that its list names: the split {split}"


def _folded(pairs: Pairs, folds: list[int], where: str) -> Pairs:
    there = sorted(set(pairs.fold[pairs.fold > 0].tolist()))
    if absent := sorted(set(folds) - set(there)):
        known = f"there are {there[0]} to {there[-1]}" if there else "its list has none"
        raise DataError(f"{where}: no fold {absent[0]}; {known}")
    keep = np.isin(pairs.fold, folds)
    return Pairs(*(column[keep] for column in pairs))


def _used(name: str, table: FaceTable, numbers: np.ndarray, pairs: Pairs, split: str, size: int, notes: list[str]) -> Trials:
    rows, place = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    first, second = np.split(place.astype(np.int64), 2)
    records = [table.records[row] for row in rows]
    faces = OnDisk(table.store, records, size)

    def photograph(at: int) -> np.ndarray:
        return decode(table.store.read(records[at].file), table.store.where(records[at].file), max_pixels=MAX_PIXELS)

    files = [record.file for record in records]
    placed, kin = pairs._replace(first=first, second=second), table.layout == "kinfacew"
    return Trials(name, numbers[rows], placed, faces.__getitem__, photograph, table.twins[rows], split, files, notes, kin)
