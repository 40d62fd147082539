"""What a layout of words yields: one record a word, and everything that was wrong, by file and line."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from datamodules.store import Store, inside

__all__ = ["SPLITS", "Collector", "Table", "Word", "place_of", "split_of", "with_splits"]

SPLITS = ("train", "val", "test")
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
NAMES = {
    "train": ("train", "training", "traindata", "trainset"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "testdata", "eval", "evaluation", "benchmark"),
}
# Sets that the field only tests on, by a part of their names.
BENCHMARKS = {"ost", "weak", "heavy", "u14m", "curve", "multi", "artistic", "contextless", "salient", "general"}
BENCHMARKS |= {"ltb", "svtp", "cute", "cute80"}
Quad = tuple[float, float, float, float, float, float, float, float]
Boxes = tuple[tuple[float, float, float, float], ...]


class Word(NamedTuple):
    file: str  # in the table's store
    label: str  # as the source writes it
    split: str = ""  # "": not said
    set: str = ""  # what accuracy is reported by
    quad: Quad | None = None  # corners x, y in the picture, clockwise from the text's top left: the word is cut out of a photograph
    boxes: Boxes | np.ndarray | None = None  # (letters,4): x0, y0, x1, y1 of every character, in pixels of the word's picture
    where: str = ""  # list:line that names it, where there is a list


@dataclass(frozen=True)
class Table:
    layout: str
    source: str  # what the user named
    store: Store
    records: list[Word]
    problems: list[str] = field(default_factory=list)  # refused when training
    notes: list[str] = field(default_factory=list)  # told
    labelled: bool = True  # False: pictures alone, to be read

    def sets(self) -> dict[str, dict[str, int]]:
        """Words by split and set."""
        counts: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
        for record in self.records:
            counts[record.split][record.set] = counts[record.split].get(record.set, 0) + 1
        return counts


class Collector:
    """Gathers the records of a layout; a word that cannot be is a problem and left out."""

    def __init__(self, layout: str, source: object, store: Store):
        self.table = Table(layout, str(source), store, [])
        self._seen: dict[tuple[str, Quad | None], str] = {}

    def problem(self, words: str) -> None:
        self.table.problems.append(words)

    def note(self, words: str) -> None:
        self.table.notes.append(words)

    def add(
        self, file: str, label: str, split: str, set: str, where: str = "", quad: Quad | None = None, boxes: Boxes | None = None
    ) -> None:
        store = self.table.store
        if not inside(file):
            self.problem(f"{where}: {file!r} lies outside the data's folder; name files relative to the list")
        elif (file, quad) in self._seen:
            self.problem(f"{where}: {file!r} is already in {self._seen[file, quad]}; keep one of the two")
        elif file not in store:
            self.problem(f"{where}: no picture {store.where(file)}; restore it or remove the line")
        else:
            self._seen[file, quad] = where
            self.table.records.append(Word(file, label, split, set, quad, boxes, where))


def split_of(*names: str) -> str:
    """The split that the first of the names speaks of: `ch4_training_word_images_gt` is train; "" where none does."""
    for name in names:
        for part in re.split("[^a-z]+", name.lower()):
            for split, words in NAMES.items():
                if part in words:
                    return split
    return ""


def with_splits(table: Table) -> Table:
    """Every word gets a split. Words, not pictures, are held out: the same word never lies on both sides of training.

    A set that does not say what it is for is a benchmark if the field knows it as one, or if another set is there to train on; else it
    is trained on, and where nothing at all is said, a fifth of its words are the test split. Without a validation split a tenth of the
    training words are it. Which words, their hash alone decides.
    """
    records, notes = list(table.records), list(table.notes)
    if not table.labelled:  # nothing to train on
        return replace(table, records=[record._replace(split="test") for record in records])
    said = {record.split for record in records}
    if "" in said:
        rest = "test" if "train" in said else "train"
        records = [r if r.split else r._replace(split="test" if _benchmark(r.set) else rest) for r in records]
    if said == {""} and not any(record.split == "test" for record in records):
        records, words, of = _held_out(records, "test", VALIDATION_SHARE, VALIDATION_SHARE + TEST_SHARE)
        notes.append(f"no splits given: {words} of {of} words, picked by hash, are the test split")
    kinds = {record.split for record in records}
    if "train" in kinds and "val" not in kinds:
        records, words, of = _held_out(records, "val", 0.0, VALIDATION_SHARE)
        notes.append(f"no validation split: {words} of {of} training words, picked by hash, are it")
    return replace(table, records=records, notes=notes)


def place_of(word: str) -> float:
    """Where a word lies between 0 and 1, whatever its case: the same everywhere and forever."""
    return int.from_bytes(hashlib.sha256("".join(word.casefold().split()).encode()).digest()[:8], "big") / 2**64


def _held_out(records: Iterable[Word], split: str, low: float, high: float) -> tuple[list[Word], int, int]:
    """(records, words held out, words there were)."""
    records = list(records)
    places = {record.label: place_of(record.label) for record in records if record.split == "train"}
    taken = {label for label, place in places.items() if low <= place < high}
    if not taken and len(set(places.values())) > 1:  # a handful of words: the one that is nearest
        nearest = min(places.values(), key=lambda place: (abs(place - (low + high) / 2), place))
        taken = {label for label, place in places.items() if place == nearest}
    records = [r._replace(split=split) if r.split == "train" and r.label in taken else r for r in records]
    return records, len({places[label] for label in taken}), len(set(places.values()))


def _benchmark(name: str) -> bool:
    return any(part in BENCHMARKS for part in re.split("[/_]", name.lower()))
