"""What a layout of faces yields: who is on an image, whose twin that is, on which visit, and in which split. Splits are by family."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from datamodules.ahan.pairs import GENUINE, KIN, OTHER, TWIN, Pairs
from datamodules.errors import DataError
from datamodules.store import Store, inside

__all__ = ["KINDS", "SPLITS", "Face", "FaceTable", "Named", "assemble_faces", "with_splits"]

SPLITS = ("train", "val", "test")
KINDS = ("MZ", "DZ", "sibling", "group", "none")  # of a person within the family
IDENTICAL = ("MZ", "group", "")  # who are twins of each other, where nothing else is said
SHARES = {"val": 0.1, "test": 0.15}  # of families, where a source says no splits; the proportions of the embedded set


class Face(NamedTuple):
    file: str  # in the table's store
    person: str
    family: str  # people without a twin are families of their own
    split: str = ""  # one of SPLITS; empty: the source does not say
    visit: str | None = None  # session; None: not known
    kind: str = ""  # one of KINDS; empty: the source does not say
    points: tuple[float, ...] | None = None  # x, y, x, y, ... of 5 points (template.POINTS), 68 or 468
    crop: tuple[int, int, int, int] | None = None  # left, top, right, lower: the part that is the aligned face
    fold: int = -1  # of a protocol that has some, from 1
    where: str = ""  # list:line that names it, where there is a list
    yaw: float | None = None  # degrees that the head is turned, to either side; None: not known


class Named(NamedTuple):
    """A pair that a list names."""

    first: str
    second: str
    same: bool
    fold: int = -1
    kind: str = ""  # of impostors: twin or kin; empty: told by the two people
    where: str = ""


@dataclass(frozen=True)
class FaceTable:
    layout: str
    source: str  # what the user named
    store: Store
    records: list[Face]
    pairs: list[Named] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # refused when training
    notes: list[str] = field(default_factory=list)  # told, also in reports and runs: counts, and nobody's name
    personal: list[str] = field(default_factory=list)  # told by `data check` alone, because they name people

    def of(self, *splits: str) -> list[Face]:
        return [record for record in self.records if record.split in splits]

    def rows(self, *splits: str) -> list[int]:
        return [row for row, record in enumerate(self.records) if record.split in splits]

    @cached_property
    def people(self) -> list[str]:
        """Those of train first, so that they are the classes 0.. of a classifier; then all others."""
        train = {record.person for record in self.of("train")}
        return sorted(train) + sorted({record.person for record in self.records} - train)

    @cached_property
    def families(self) -> list[str]:
        """Those of train first, too: each has a person, so they are fewer, and a mirrored one can be numbered beyond them."""
        train = {record.family for record in self.of("train")}
        return sorted(train) + sorted({record.family for record in self.records} - train)

    @cached_property
    def twins(self) -> np.ndarray:
        """int64 (n,): a number that twins share. Fraternal twins, siblings and other kin of a family are everybody's other persons."""
        names = [(r.family, "" if r.kind in IDENTICAL else r.person) for r in self.records]
        train = {name for name, r in zip(names, self.records, strict=True) if r.split == "train"}
        # those of train first: they are no more than its people, so that a mirrored one can be numbered beyond them
        number = {name: at for at, name in enumerate(sorted(train) + sorted(set(names) - train))}
        return np.array([number[name] for name in names], np.int64)

    @cached_property
    def numbers(self) -> np.ndarray:
        """int64 (n,4): person, family, visit (-1: not known) and row of every record. A visit's number counts for its person alone."""
        people = {name: number for number, name in enumerate(self.people)}
        families = {name: number for number, name in enumerate(self.families)}
        visits = {name: number for number, name in enumerate(sorted({r.visit for r in self.records if r.visit is not None}))}
        rows = [
            (people[r.person], families[r.family], -1 if r.visit is None else visits[r.visit], row) for row, r in enumerate(self.records)
        ]
        return np.array(rows, np.int64).reshape(-1, 4)

    def named_pairs(self) -> Pairs:
        """The list's pairs, by rows of the table."""
        row = {record.file: number for number, record in enumerate(self.records)}
        usable = [pair for pair in self.pairs if pair.first in row and pair.second in row]
        first, second = (np.array([row[getattr(pair, side)] for pair in usable], np.int64) for side in ("first", "second"))
        kinds = [GENUINE if pair.same else pair.kind or self._kind(row[pair.first], row[pair.second]) for pair in usable]
        same, fold = np.array([pair.same for pair in usable], bool), np.array([pair.fold for pair in usable], np.int64)
        return Pairs(first, second, same, np.array(kinds, str), fold)

    def _kind(self, one: int, other: int) -> str:
        """Of two people."""
        if self.records[one].family != self.records[other].family:
            return OTHER
        return TWIN if self.twins[one] == self.twins[other] else KIN


def assemble_faces(
    layout: str,
    source: str,
    store: Store,
    rows: Iterable[Face],
    pairs: Iterable[Named] = (),
    problems: Iterable[str] = (),
    notes: Iterable[str] = (),
    personal: Iterable[str] = (),
) -> FaceTable:
    """Images that are not there, or that are named twice, are problems by list and line; so are pairs of images that are not there."""
    problems, kept = list(problems), {}
    for row in rows:
        named = row.where or store.where(row.file)
        if not inside(row.file):
            problems.append(f"{named}: {row.file!r} lies outside the data's folder; write its path below that")
        elif row.file in kept:
            problems.append(f"{named}: {row.file!r} is there already ({kept[row.file].where or 'the same name'}); keep one of the two")
        elif row.file not in store:
            problems.append(f"{named}: no image {store.where(row.file)}; restore it or remove the line")
        else:
            kept[row.file] = row
    whole = []
    for pair in pairs:
        if lacking := [name for name in (pair.first, pair.second) if name not in kept]:
            problems.append(f"{pair.where}: no image {lacking[0]!r}; restore it or remove the pair")
        else:
            whole.append(pair)
    return FaceTable(layout, source, store, list(kept.values()), whole, problems, list(notes), list(personal))


def with_splits(table: FaceTable, fold: int | None = None) -> FaceTable:
    """Where the source says no splits: by FAMILY, by the hash of its name. A twin in training would make the test easy.

    fold: of a source that has folds, which one is the test; the one after it is for validation, all others are trained on
    """
    folds = sorted({record.fold for record in table.records if record.fold > 0})
    if fold is not None and fold not in folds:
        there = f"there are {folds[0]} to {folds[-1]}" if folds else f"{table.layout} has none; leave it out"
        raise DataError(f"{table.source}: fold {fold} is not there; {there}")
    if len(folds) > 2 and not any(record.split for record in table.records):
        test = fold or folds[0]
        val = folds[(folds.index(test) + 1) % len(folds)]
        records = [r._replace(split="test" if r.fold == test else "val" if r.fold == val else "train") for r in table.records]
        return replace(table, records=records, notes=[*table.notes, f"fold {test} of {len(folds)} is the test, fold {val} for validation"])
    if not table.records or any(record.split for record in table.records):
        return _with_validation(table)
    kinds: dict[bool, set[str]] = defaultdict(set)  # families with twins and those without are shared out apart
    people: dict[str, set[str]] = defaultdict(set)
    for record in table.records:
        people[record.family].add(record.person)
    for family, members in people.items():
        kinds[len(members) > 1].add(family)
    split_of: dict[str, str] = {}
    for families in kinds.values():
        ordered = sorted(families, key=_hash)
        test, val = (round(SHARES[name] * len(ordered)) or (len(ordered) > 3) for name in ("test", "val"))
        split_of |= {name: "test" if at < test else "val" if at < test + val else "train" for at, name in enumerate(ordered)}
    records = [record._replace(split=split_of[record.family]) for record in table.records]
    counts = ", ".join(f"{name} {sum(split == name for split in split_of.values())}" for name in SPLITS)
    return replace(table, records=records, notes=[*table.notes, f"no splits given: by family, picked by name ({counts} families)"])


def _with_validation(table: FaceTable) -> FaceTable:
    if not table.records or table.of("val") or not table.of("train"):
        return table
    train = sorted({record.family for record in table.of("train")}, key=_hash)
    taken = set(train[: max(1, round(SHARES["val"] * len(train)))]) if len(train) > 3 else set()
    if not taken:
        return replace(table, notes=[*table.notes, f"{len(train)} training families are too few to spare one for validation"])
    records = [r._replace(split="val") if r.split == "train" and r.family in taken else r for r in table.records]
    return replace(table, records=records, notes=[*table.notes, f"no validation split: {len(taken)} training families, picked by name"])


def _hash(name: str) -> bytes:
    return hashlib.sha256(f"family:{name}".encode()).digest()
