"""The field's LMDB: `num-samples`, and from 1 on `image-000000001` and `label-000000001`; of ours also `letters-000000001`."""

from pathlib import Path

import numpy as np

from datamodules.checks import shorten
from datamodules.errors import DataError
from datamodules.otsnet.lmdb_words import LETTERS, letter_boxes
from datamodules.otsnet.stores import LmdbStore
from datamodules.otsnet.table import Table, Word, split_of

__all__ = ["is_lmdb", "read_lmdb"]

FILE = "data.mdb"


def is_lmdb(path: Path) -> bool:
    return _file(path).is_file()


def read_lmdb(path: Path, labels: bool = True) -> Table:
    file = _file(path).resolve()
    store = LmdbStore(file)
    stated = store.file.get(b"num-samples")
    if stated is None or not stated.strip().isdigit():
        raise DataError(f"{file}: {'no key num-samples' if stated is None else f'num-samples is {stated[:20]!r}'}; not a database of words")
    count, name, split = int(stated), file.parent.name, split_of(file.parent.name)
    table = Table("lmdb", str(path), store, [], labelled=labels)
    found: dict[int, str] = {}
    beyond = 0
    for key, value in store.file.items(b"label-"):
        number = key[6:]
        if not number.isdigit() or not 1 <= int(number) <= count:
            beyond += 1
            continue
        try:
            found[int(number)] = value.decode()
        except UnicodeDecodeError:
            table.problems.append(f"{file}:label-{number.decode()}: not UTF-8; write the database anew")
    if beyond:
        table.notes.append(f"{beyond} labels are not of words 1 to {count}, of which num-samples speaks: left out")
    if labels:
        if len(found) < count:
            missing = shorten([f"label-{number:09d}" for number in range(1, count + 1) if number not in found], 3)
            table.problems.append(f"{file}: {count - len(found)} of {count} words have no label: {missing}; write them, or only read it")
        numbers = sorted(found)
    else:
        numbers = list(range(1, count + 1))
    boxes = _letter_boxes(store, table) if labels else {}
    for number in numbers:
        table.records.append(
            Word(f"image-{number:09d}", found.get(number, ""), split, name, boxes=boxes.get(number), where=f"{file}:label-{number:09d}")
        )
    return table


def _letter_boxes(store: LmdbStore, table: Table) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for key, value in store.file.items(LETTERS):
        number = key.removeprefix(LETTERS)
        try:
            if number.isdigit():
                found[int(number)] = letter_boxes(value)
        except DataError as error:
            table.problems.append(f"{store.file.path}:{key.decode(errors='replace')}: {error}")
    return found


def _file(path: Path) -> Path:
    return path if path.name == FILE else path / FILE
