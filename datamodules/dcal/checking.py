"""`discern data check` for classified pictures."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from datamodules.checks import Report, copies, digest, lonely, near_copies, shorten, thumbnail, unequal
from datamodules.dcal.table import SPLITS, Record, Table
from datamodules.errors import DataError
from datamodules.pictures import check, decode
from datamodules.store import Store, fingerprint

__all__ = ["broken", "report"]

READERS = 8  # threads: files are waited for, and OpenCV lets go of Python's lock


class Seen(NamedTuple):
    digest: str
    size: tuple[int, int]  # height, width
    grey: bool
    turned: bool
    renamed: bool  # its extension says another kind
    thumbnail: np.ndarray | None


def report(table: Table, *, near: bool = False) -> Report:
    """Every picture is read and decoded once."""
    with ThreadPoolExecutor(READERS) as pool:
        looks = list(pool.map(lambda record: _look(table.store, record, near), table.records))
    damaged = [look for look in looks if isinstance(look, str)]
    seen = {record.file: look for record, look in zip(table.records, looks, strict=True) if isinstance(look, Seen)}
    counts = {split: len(table.split(split)) for split in SPLITS}
    result = Report(
        format=table.layout,
        source=table.source,
        counts=counts,
        classes=len(table.classes),
        problems=table.problems + damaged,
        notes=list(table.notes),
        fingerprint=fingerprint(table.store, [record.file for record in table.records]),
    )
    _labels(table, result)
    _copies(table, seen, result)
    if near:
        _near(table, seen, result)
    _pictures(table, seen, result)
    return result


def broken(table: Table) -> dict[str, str]:
    """file -> what is wrong, of the pictures that can be seen to be broken without decoding them."""

    def look(record: Record) -> str | None:
        try:
            check(table.store.read(record.file), table.store.where(record.file))
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(READERS) as pool:
        answers = pool.map(look, table.records)
        return {record.file: answer for record, answer in zip(table.records, answers, strict=True) if answer}


def _look(store: Store, record: Record, near: bool) -> Seen | str:
    where = store.where(record.file)
    try:
        data = store.read(record.file)
        header = check(data, where)
        picture = decode(data, where)
    except DataError as error:
        return str(error)
    grey = bool((picture == picture[:, :, :1]).all())
    return Seen(
        digest(data), picture.shape[:2], grey, header.turn != 1, _renamed(record.file, header.kind), thumbnail(picture) if near else None
    )


def _renamed(file: str, kind: str) -> bool:
    extensions = {"JPEG": ("jpg", "jpeg", "jpe", "jfif"), "TIFF": ("tif", "tiff")}.get(kind, (kind.lower(),))
    return file.rpartition(".")[2].lower() not in extensions


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
    rows = [record for record in table.records if record.file in seen]
    digests = [seen[record.file].digest for record in rows]
    thumbnails = (
        np.stack([look.thumbnail for record in rows if (look := seen[record.file]).thumbnail is not None]) if rows else np.zeros((0, 1))
    )
    for i, j, alike in near_copies(thumbnails):
        if digests[i] == digests[j]:
            continue  # told as an exact copy
        one, other = rows[i], rows[j]
        words = f"{one.file} ({one.split}) and {other.file} ({other.split}) correlate {alike:.3f}"
        if one.split != other.split:
            result.problems.append(f"near-copies across splits: {words}; look at them and keep one")
        else:
            result.notes.append(f"near-copies within a split: {words}")


def _pictures(table: Table, seen: dict[str, Seen], result: Report) -> None:
    sizes = sorted(look.size for look in seen.values())
    if sizes:
        sides = Counter(min(size) for size in sizes)
        result.notes.append(f"shorter side {min(sides)} to {max(sides)} pixels, most often {sides.most_common(1)[0][0]}")
    for count, words in (
        (sum(look.grey for look in seen.values()), "grey pictures (repeated into three channels)"),
        (sum(look.turned for look in seen.values()), "pictures turned by EXIF"),
        (sum(look.renamed for look in seen.values()), "pictures of another kind than their extension says (read by content)"),
        (sum(_passes(record, seen) for record in table.records), "boxes over the border by more than a pixel (clamped)"),
    ):
        if count:
            result.notes.append(f"{count} {words}")


def _passes(record: Record, seen: dict[str, Seen]) -> bool:
    if record.box is None or record.file not in seen:
        return False
    height, width = seen[record.file].size
    box = record.box
    return min(box.x, box.y) < -1 or box.x + box.width > width + 1 or box.y + box.height > height + 1
