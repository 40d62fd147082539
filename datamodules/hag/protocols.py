"""Who is trained on and who is tested: splits by patient, centre or polyp, or as the source gives them. Decided by names alone.

Frames of one polyp, and near-copies, are never on two sides. By patient, neither are those of one patient, video, case or sequence.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Literal

from datamodules.errors import DataError
from datamodules.hag.classes import size_class
from datamodules.hag.near import components
from datamodules.hag.table import PolypFrame, PolypTable

__all__ = ["Protocol", "crossing", "hold_gates", "limited", "with_splits"]

Protocol = Literal["auto", "patient", "polyp", "centre", "given", "paper"]
SHARES = {"val": 0.15, "test": 0.15}  # of the groups, the proportions of the embedded set


def with_splits(table: PolypTable, protocol: Protocol = "auto", fold: int | None = None) -> PolypTable:
    """Splits train, val, test.

    auto: given, where that keeps patients and near-copies apart; else patient
    patient: groups are patients, videos, cases, sequences. polyp: polyps alone, so that one patient may be on two sides
    centre: one centre is the test; validation is by patient among the others
    given: the source's own splits or folds, refused where they do not keep patients apart
    paper: the source's own, whatever they do with patients; refused where they do not keep a polyp's frames together
    fold: which fold, or which centre in alphabetic order, is the test, from 0; the fold after it is for validation
    """
    brought = table.folds > 1 or any(record.split for record in table.records)
    if protocol == "auto" and brought:
        own = _given(table, fold)
        if not (names := crossing(own, by_patient=True)):
            return own
        note = f"its own splits have {names[0]} on two sides: split by patient instead (protocol paper keeps them)"
        table = replace(table, notes=[*table.notes, note])
    elif protocol in ("given", "paper"):
        if not brought:
            raise DataError(f"{table.source}: {table.layout} has no splits or folds of its own; use protocol patient")
        own = _given(table, fold)
        if names := crossing(own, by_patient=protocol == "given"):
            other = "paper keeps them, patient mends it" if protocol == "given" else "use protocol patient"
            raise DataError(f"{table.source}: its own splits have {names[0]} on two sides ({len(names)} such); protocol {other}")
        return own
    if protocol == "centre":
        return _by_centre(table, fold)
    if fold is not None:
        raise DataError(f"fold {fold} belongs to protocols given, paper and centre; splits by {protocol} have none: leave it out")
    return _by_groups(table, by_patient=protocol != "polyp")


def hold_gates(table: PolypTable, share: float, by_patient: bool = True) -> PolypTable:
    """A share of the training groups becomes the split `gates`, of every class of size its part."""
    rows = table.rows("train")
    taken = _share_out(_strata(table, rows, by_patient), {"gates": share})
    if not taken.get("gates"):
        raise DataError(f"{table.source}: gates {share:g} of the training groups are none; the data are too few for a third split")
    records = [r._replace(split="gates") if row in taken["gates"] else r for row, r in enumerate(table.records)]
    held = len(taken["gates"])
    return replace(table, records=records, notes=[*table.notes, f"{held} of {len(rows)} training frames are for the gates alone"])


def limited(table: PolypTable, frames: int) -> PolypTable:
    """Of the training frames so many, of every label as many, picked by name; a smaller part lies within every larger one."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for row in table.rows("train"):
        kinds[table.records[row].label].append(row)
    each = frames // max(1, len(kinds))
    if each < 1 or min(map(len, kinds.values()), default=0) < each:
        least = min(map(len, kinds.values()), default=0)
        raise DataError(
            f"{table.source}: limit {frames} is {each} frames of each of {len(kinds)} classes; there are 1 to {least} of every one"
        )
    kept = {row for rows in kinds.values() for row in sorted(rows, key=lambda row: _hash(table.records[row].file))[:each]}
    records = [record for row, record in enumerate(table.records) if record.split != "train" or row in kept]
    return replace(table, records=records, notes=[*table.notes, f"{len(kept)} training frames, {each} of every class"])


def crossing(table: PolypTable, by_patient: bool) -> list[str]:
    """What is on two sides: polyps and groups of near-copies, and with by_patient also patients."""
    kinds: list[tuple[str, Callable[[PolypFrame], str]]] = [("polyp", lambda r: r.polyp)]
    if by_patient:
        kinds += [("patient or video", lambda r: r.patient), ("near-copies", lambda r: r.group)]
    found = []
    for words, name in kinds:
        sides = defaultdict(set)
        for record in table.records:
            if record.split and name(record):
                sides[name(record)].add(record.split)
        found += [f"{words} {key}" for key, splits in sides.items() if len(splits) > 1]
    return found


def _given(table: PolypTable, fold: int | None) -> PolypTable:
    folds = sorted({record.fold for record in table.records if record.fold >= 0})
    if not any(record.split for record in table.records):
        test = folds[0] if fold is None else fold
        if test not in folds:
            raise DataError(f"{table.source}: fold {fold} is not there; there are {folds[0]} to {folds[-1]}")
        val = folds[(folds.index(test) + 1) % len(folds)]
        if len(folds) < 3:
            raise DataError(f"{table.source}: {len(folds)} folds; training, validation and test need three")
        records = [r._replace(split="test" if r.fold == test else "val" if r.fold == val else "train") for r in table.records]
        return replace(table, records=records, notes=[*table.notes, f"fold {test} of {len(folds)} is the test, fold {val} for validation"])
    if fold is not None:
        raise DataError(f"{table.source}: {table.layout} has splits, no folds; leave fold out")
    table = replace(table, records=[record for record in table.records if record.split])
    if not table.rows("val"):
        rows = table.rows("train")
        taken = _share_out(_strata(table, rows, True), {"val": SHARES["val"]}).get("val", set())
        records = [r._replace(split="val") if row in taken else r for row, r in enumerate(table.records)]
        note = f"no validation split: {len(taken)} of {len(rows)} training frames, by groups picked by name"
        table = replace(table, records=records, notes=[*table.notes, note])
    return table


def _by_centre(table: PolypTable, fold: int | None) -> PolypTable:
    centres = sorted({record.centre for record in table.records if record.centre})
    if len(centres) < 2 or any(not record.centre for record in table.records):
        raise DataError(f"{table.source}: {len(centres)} centres are known; protocol centre needs two or more, and one of every frame")
    at = len(centres) - 1 if fold is None else fold
    if not 0 <= at < len(centres):
        raise DataError(f"{table.source}: fold {fold} is not there; the centres are {', '.join(centres)}: 0 to {len(centres) - 1}")
    homes = _homes(table, list(range(len(table.records))), True)
    tested = {homes[row] for row, record in enumerate(table.records) if record.centre == centres[at]}
    if stray := [record.where for row, record in enumerate(table.records) if homes[row] in tested and record.centre != centres[at]]:
        # a near-copy or patient of the tested centre in another one: in no split rather than on two sides
        table = replace(table, notes=[*table.notes, f"{len(stray)} frames of other centres belong with {centres[at]} and are left out"])
    others = [row for row in range(len(table.records)) if homes[row] not in tested]
    taken = _share_out(_strata(table, others, True), {"val": SHARES["val"]}).get("val", set())
    records = []
    for row, record in enumerate(table.records):
        if record.centre == centres[at]:
            records.append(record._replace(split="test"))
        elif homes[row] not in tested:
            records.append(record._replace(split="val" if row in taken else "train"))
    return replace(table, records=records, notes=[*table.notes, f"centre {centres[at]} is the test, of {', '.join(centres)}"])


def _by_groups(table: PolypTable, by_patient: bool) -> PolypTable:
    rows = list(range(len(table.records)))
    taken = _share_out(_strata(table, rows, by_patient), SHARES)
    side = {row: split for split, members in taken.items() for row in members}
    records = [record._replace(split=side.get(row, "train")) for row, record in enumerate(table.records)]
    counts = {split: len({r.polyp for r in records if r.split == split}) for split in ("train", "val", "test")}
    words = ", ".join(f"{split} {count}" for split, count in counts.items())
    note = f"split by {_together(table) if by_patient else 'polyp'}, picked by name: {words} polyps"
    if not by_patient:
        sides = defaultdict(set)
        for record in records:
            sides[record.patient].add(record.split)
        if both := sum(len(splits) > 1 for splits in sides.values()):
            note += f"; {both} patients or videos are on two sides, which flatters (protocol patient keeps them apart)"
    return replace(table, records=records, notes=[*table.notes, note])


def _together(table: PolypTable) -> str:
    """What is kept together, by what the source tells."""
    if table.alone:
        return "near-copies (who the patients are is not told)"
    if all(record.patient == record.polyp for record in table.records):
        return "polyp, case or sequence (who the patients are is not told)"
    return "patient, video or case"


Strata = dict[Hashable, dict[str, list[int]]]  # class -> group -> rows


def _strata(table: PolypTable, rows: Sequence[int], by_patient: bool) -> Strata:
    """Groups by what most of their polyps are, so that every split has its part of each class."""
    homes = _homes(table, rows, by_patient)
    groups: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        groups[homes[row]].append(row)
    strata: Strata = defaultdict(dict)
    for name, members in groups.items():
        strata[_kind([table.records[row] for row in members])][name] = members
    return strata


def _kind(records: Sequence[PolypFrame]) -> Hashable:
    sizes = {record.polyp: record.mm for record in records if record.mm is not None}
    if sizes:
        return int(max(size_class(mm) for mm in sizes.values()))  # large ones are rare, and what matters
    return Counter(record.label for record in records).most_common(1)[0][0]


def _homes(table: PolypTable, rows: Sequence[int], by_patient: bool) -> dict[int, str]:
    """The group of every row: all that shares a polyp, near-copies or, with by_patient, a patient, directly or through others."""
    first: dict[tuple[str, str], int] = {}
    pairs = []
    for at, row in enumerate(rows):
        record = table.records[row]
        keys = [("polyp", record.polyp), *([("patient", record.patient)] if by_patient else [])]
        for key in keys + ([("group", record.group)] if record.group else []):
            pairs.append((first.setdefault(key, at), at))
    roots = components(len(rows), pairs)
    # named by what stays the same when frames are added at the end or the folder is elsewhere
    return {
        row: f"{table.records[rows[int(root)]].patient}/{table.records[rows[int(root)]].polyp}"
        for row, root in zip(rows, roots, strict=True)
    }


def _share_out(strata: Strata, shares: dict[str, float]) -> dict[str, set[int]]:
    """Rows for each split: its share of the groups, of three or more at least one, evenly out of a row of all that is sorted by class."""
    rows_of = {name: rows for groups in strata.values() for name, rows in groups.items()}
    left = [name for kind in sorted(strata, key=str) for name in sorted(strata[kind], key=_hash)]
    total = len(left)
    taken: dict[str, set[int]] = {}
    for split, share in shares.items():
        count = round(share * total) or int(total > 2)
        picked = {left[int((at + 0.5) * len(left) / count)] for at in range(count)}
        left = [name for name in left if name not in picked]
        taken[split] = {row for name in picked for row in rows_of[name]}
    return taken


def _hash(name: str) -> bytes:
    return hashlib.sha256(f"polyp:{name}".encode()).digest()
