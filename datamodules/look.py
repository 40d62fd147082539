"""Every picture of a set read and decoded once: what `discern data check` has to say about single pictures."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from datamodules.checks import digest, near_copies, shorten, thumbnail
from datamodules.errors import DataError
from datamodules.pictures import check, decode
from datamodules.store import Store

__all__ = ["Listed", "Seen", "broken", "look_at", "named", "near_pairs", "picture_notes"]

READERS = 8  # threads: files are waited for, and OpenCV lets go of Python's lock


class Listed(Protocol):
    """What a record of any kind has."""

    @property
    def file(self) -> str: ...
    @property
    def where(self) -> str: ...


class Seen(NamedTuple):
    digest: str
    size: tuple[int, int]  # height, width
    grey: bool
    turned: bool
    renamed: bool  # its extension says another kind
    deep: bool  # 16 bits a channel
    thumbnail: np.ndarray | None


R = TypeVar("R", bound=Listed)


def look_at(
    store: Store, records: Iterable[R], *, near: bool = False, view: Callable[[np.ndarray, R, str], np.ndarray] | None = None
) -> tuple[dict[str, Seen], list[str]]:
    """(what was seen by file, the damaged ones as problems).

    view: the part of (picture, record, name) that counts; None: all of it
    """
    rows = list({record.file: record for record in records}.values())
    with ThreadPoolExecutor(READERS) as pool:
        looks = list(pool.map(lambda record: _look(store, record, near, view), rows))
    damaged = [look for look in looks if isinstance(look, str)]
    return {row.file: look for row, look in zip(rows, looks, strict=True) if isinstance(look, Seen)}, damaged


def broken(store: Store, records: Iterable[Listed]) -> dict[str, str]:
    """file -> what is wrong, of the pictures that can be seen to be broken without decoding them."""

    def look(file: str) -> str | None:
        try:
            check(store.read(file), store.where(file))
        except DataError as error:
            return str(error)
        return None

    files = list(dict.fromkeys(record.file for record in records))
    with ThreadPoolExecutor(READERS) as pool:
        return {file: answer for file, answer in zip(files, pool.map(look, files), strict=True) if answer}


def near_pairs(files: Iterable[str], seen: Mapping[str, Seen]) -> list[tuple[str, str, float]]:
    """Pairs of files that look alike without being exact copies."""
    rows = [file for file in files if file in seen and seen[file].thumbnail is not None]
    if not rows:
        return []
    pairs = near_copies(np.stack([thumb for file in rows if (thumb := seen[file].thumbnail) is not None]))
    return [(rows[i], rows[j], alike) for i, j, alike in pairs if seen[rows[i]].digest != seen[rows[j]].digest]


def picture_notes(records: Iterable[Listed], seen: Mapping[str, Seen]) -> list[str]:
    """Sizes, and what is unusual, each named by file and, where there is a list, by line."""
    rows = [record for record in records if record.file in seen]
    notes = []
    if rows:
        sides = Counter(min(seen[row.file].size) for row in rows)
        notes.append(f"shorter side {min(sides)} to {max(sides)} pixels, most often {sides.most_common(1)[0][0]}")
    for words, which in (
        ("grey pictures (repeated into three channels)", lambda look: look.grey),
        ("pictures turned by EXIF", lambda look: look.turned),
        ("pictures of 16 bits (scaled to 8)", lambda look: look.deep),
        ("pictures of another kind than their extension says (read by content)", lambda look: look.renamed),
    ):
        if found := [row for row in rows if which(seen[row.file])]:
            notes.append(f"{len(found)} {words}: {shorten([named(row) for row in found], 3)}")
    return notes


def named(record: Listed) -> str:
    return f"{record.file} ({record.where})" if record.where else record.file


def _look(store: Store, record: R, near: bool, view: Callable[[np.ndarray, R, str], np.ndarray] | None) -> Seen | str:
    where = store.where(record.file)
    try:
        data = store.read(record.file)
        header = check(data, where)
        picture = decode(data, where)
        picture = picture if view is None else view(picture, record, where)
    except DataError as error:
        return str(error)
    grey = bool((picture == picture[:, :, :1]).all())
    small = thumbnail(picture) if near else None
    return Seen(digest(data), picture.shape[:2], grey, header.turn != 1, _renamed(record.file, header.kind), header.bits == 16, small)


def _renamed(file: str, kind: str) -> bool:
    extensions = {"JPEG": ("jpg", "jpeg", "jpe", "jfif"), "TIFF": ("tif", "tiff")}.get(kind, (kind.lower(),))
    _, dot, extension = file.rpartition("/")[2].rpartition(".")
    return bool(dot) and extension.lower() not in extensions  # a database's pictures have none
