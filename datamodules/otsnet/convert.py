"""Words from any layout into an LMDB, a folder with labels.tsv or a zip with its TSV: picture files and labels as they were."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.headers import probe
from datamodules.otsnet.dataset import load_word
from datamodules.otsnet.layouts import Named, find
from datamodules.otsnet.lmdb_words import Written, write_words
from datamodules.otsnet.table import Table, Word
from datamodules.whole import write_whole

__all__ = ["Format", "convert"]

Format = Literal["lmdb", "folder", "zip"]
EXTENSIONS = {"JPEG": "jpg", "TIFF": "tif"}


def convert(
    source: str | Path, target: str | Path, format: Format, layout: Named = "auto", say: Callable[[str], None] = lambda text: None
) -> dict[str, int]:
    """How many words came to which place below `target`: <set>/<split>, without what there is only one of or is not said.

    Words of photographs are cut out and stored as PNG, all others keep their bytes. A source with problems is refused. Boxes of letters
    come along into an LMDB; the other two have no place for them, and `say` is told how many are lost.
    """
    if format not in get_args(Format):
        raise DataError(f"format {format!r} is not known; there are {', '.join(get_args(Format))}")
    table, target = find(source, layout).as_it_is(), Path(target)
    if table.problems:
        raise DataError(f"{table.problems[0]} ({len(table.problems)} in all; 'discern data check {source}' lists them)")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target} exists; write into a new or empty folder")
    for record in table.records:
        if format != "lmdb" and set(record.label) & set("\t\n\r"):
            raise DataError(f"{record.where}: the label {record.label!r} holds a tab or line end, which a TSV cannot; convert to lmdb")
    lost = sum(record.boxes is not None for record in table.records)
    if format != "lmdb" and lost:
        say(f"the letter boxes of {lost} words are left behind: a {format} has no place for them; --to lmdb keeps them")
    places: dict[str, list[Word]] = {}
    several = len({record.set for record in table.records}) > 1
    for record in table.records:
        parts = [part for part in record.set.split("/") if part not in ("", ".", "..")] if several else []
        places.setdefault("/".join([*parts, *filter(None, [record.split])]), []).append(record)
    write = {"lmdb": _lmdb, "folder": _folder, "zip": _zip}[format]
    for place, records in places.items():
        write(target / place if place or format != "zip" else target / "words", table, records)
    return {place: len(records) for place, records in places.items()}


def _contents(table: Table, record: Word) -> bytes:
    if record.quad is None:
        return table.store.read(record.file)
    picture = np.ascontiguousarray(load_word(table.store, record)[:, :, ::-1])
    return cv2.imencode(".png", picture)[1].tobytes()


def _named(table: Table, records: list[Word]) -> Iterator[tuple[str, str, bytes]]:
    """(file, label, contents), files numbered from 1 and called by what they are."""
    width = max(4, len(str(len(records))))
    for number, record in enumerate(records, 1):
        contents = _contents(table, record)
        header = probe(contents)
        kind = header.kind if header else "bin"
        yield f"{number:0{width}d}.{EXTENSIONS.get(kind, kind.lower())}", record.label, contents


def _lmdb(place: Path, table: Table, records: list[Word]) -> None:
    def boxes(record: Word) -> np.ndarray | None:
        return None if record.boxes is None else np.asarray(record.boxes, np.float32)

    write_words(place, (Written(_contents(table, record), record.label, boxes(record)) for record in records))


def _folder(place: Path, table: Table, records: list[Word]) -> None:
    """The list comes last: without it nothing reads a folder that was broken off."""
    place.mkdir(parents=True, exist_ok=True)
    rows = ["file\tlabel\n"]
    for file, label, contents in _named(table, records):
        with write_whole(place / file) as out:
            out.write(contents)
        rows.append(f"{file}\t{label}\n")
    with write_whole(place / "labels.tsv") as out:
        out.write("".join(rows).encode())


def _zip(place: Path, table: Table, records: list[Word]) -> None:
    """Stored, with times that do not change: equal words make equal files. The TSV beside it tells the size of every picture, too."""
    place.parent.mkdir(parents=True, exist_ok=True)
    rows = ["file\tlabel\torig_w\torig_h\n"]
    with write_whole(place.with_name(place.name + ".zip")) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for file, label, contents in _named(table, records):
            packed.writestr(zipfile.ZipInfo(file), contents)
            header = probe(contents)
            width, height = (header.width, header.height) if header else (0, 0)
            rows.append(f"{file}\t{label}\t{width}\t{height}\n")
    with write_whole(place.with_name(place.name + ".tsv")) as out:
        out.write("".join(rows).encode())
