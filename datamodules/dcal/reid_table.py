"""What a re-identification layout yields: who was seen by which camera, and in which split. Splits are by identity."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from datamodules.store import Store, inside

__all__ = ["REID_SPLITS", "ReidTable", "Sighting", "assemble_sightings", "picked_queries", "with_validation_identities"]

REID_SPLITS = ("train", "val", "query", "gallery")
VALIDATION_SHARE = 0.1
LEAST_VALIDATION = 4  # identities; a ranking of two or three chooses no checkpoint


class Sighting(NamedTuple):
    file: str  # in the table's store
    identity: str
    camera: str | None  # None: not known, which is another thing than one camera for all
    split: str  # one of REID_SPLITS
    where: str = ""  # list:line that names it, where there is a list

    @property
    def banner(self) -> int:
        return 0


@dataclass(frozen=True)
class ReidTable:
    layout: str
    source: str  # what the user named
    store: Store
    records: list[Sighting]
    problems: list[str] = field(default_factory=list)  # refused when training
    notes: list[str] = field(default_factory=list)  # told

    def rows(self, *splits: str) -> list[int]:
        return [row for row, record in enumerate(self.records) if record.split in splits]

    def of(self, *splits: str) -> list[Sighting]:
        return [record for record in self.records if record.split in splits]

    @cached_property
    def identities(self) -> list[str]:
        """Those of train first, so that they are the classes 0.. of a classifier; then all others."""
        train = {record.identity for record in self.of("train")}
        return sorted(train) + sorted({record.identity for record in self.records} - train)

    @cached_property
    def cameras(self) -> list[str]:
        return sorted({record.camera for record in self.records if record.camera is not None})

    @cached_property
    def queries(self) -> set[str]:
        """Files that ask: the query split, and those picked from the validation split."""
        return {record.file for record in self.of("query")} | picked_queries(self.of("val"))


def assemble_sightings(
    layout: str, source: str, store: Store, rows: Iterable[Sighting], problems: list[str], notes: list[str]
) -> ReidTable:
    """Pictures that are not there, or that are there twice, are problems by list and line."""
    kept: dict[str, Sighting] = {}
    for row in rows:
        named = row.where or store.where(row.file)
        if not inside(row.file):
            problems.append(f"{named}: {row.file!r} lies outside the data's folder; fetch the list again")
        elif row.file in kept:
            problems.append(f"{named}: {row.file!r} is already in {kept[row.file].where or kept[row.file].split}; keep one of the two")
        elif row.file not in store:
            problems.append(f"{named}: no picture {store.where(row.file)}; restore it or remove the line")
        else:
            kept[row.file] = row
    return ReidTable(layout, source, store, list(kept.values()), problems, notes)


def with_validation_identities(table: ReidTable) -> ReidTable:
    """Where the source has no validation split: 10 % of the training identities (four at least), picked by the hash of their names.

    An identity that can be asked for is preferred: one seen by two cameras, or twice where no camera is known.
    """
    if table.rows("val"):
        return table
    seen: dict[str, set[str]] = defaultdict(set)
    for record in table.of("train"):
        seen[record.identity].add(record.file if record.camera is None else f"camera {record.camera}")
    count = min(max(LEAST_VALIDATION, round(VALIDATION_SHARE * len(seen))), len(seen) // 4)
    if count < 2:
        words = f"{len(seen)} training identities are too few to spare two for validation; 'validate' will have nothing to measure"
        return replace(table, notes=[*table.notes, words])
    taken = set(sorted(seen, key=lambda name: (len(seen[name]) < 2, _hash(f"validation:{name}")))[:count])
    records = [r._replace(split="val") if r.split == "train" and r.identity in taken else r for r in table.records]
    note = f"no validation split: {count} of {len(seen)} training identities, picked by name"
    return replace(table, records=records, notes=[*table.notes, note])


def picked_queries(records: Sequence[Sighting]) -> set[str]:
    """One picture of an identity and camera, picked by the hash of its name, such that something is left to be found.

    Where a camera has one picture only, just the first camera asks.
    """
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        groups[record.identity][record.camera or ""].append(record.file)
    picked = set()
    for cameras in groups.values():
        asking = [files for _, files in sorted(cameras.items()) if len(files) > 1]
        if not asking and len(cameras) > 1:
            asking = [cameras[min(cameras)]]
        picked |= {min(files, key=lambda file: _hash(f"query:{file}")) for files in asking}
    return picked


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
