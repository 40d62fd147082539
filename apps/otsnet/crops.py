"""From what a user names to the words that are read: pictures of one word each, and where they come from.

Shapes: 4 corners, 2 x and y in pixels.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.base.predict.inputs import SUFFIXES, Inputs
from apps.base.predict.reader import read_ahead
from apps.otsnet.photos.photo import How, NamedCrop, crops_from_photo
from datamodules.errors import DataError
from datamodules.otsnet.dataset import load_word
from datamodules.otsnet.layouts import read
from datamodules.otsnet.lmdb_layout import is_lmdb
from datamodules.pictures import decode, read_picture
from datamodules.store import Store, TarStore, ZipStore

__all__ = ["AHEAD", "Crop", "Crops", "crops_of"]

ARCHIVES: dict[str, Callable[[Path], ZipStore | TarStore]] = {".zip": ZipStore, ".tar": TarStore}
PACKED = (".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")  # archives, and none of those
AHEAD, PHOTOS_AHEAD = 64, 4  # pictures that are decoded before they are asked for


class Crop(NamedTuple):
    """A picture of a word, or why there is none."""

    name: str
    picture: np.ndarray | None  # uint8 (H,W,3)
    error: str | None = None
    box_42: np.ndarray | None = None  # of a word of a photograph: its corners there
    corners_42: np.ndarray | None = None  # and where those of the picture lie
    found: float | None = None  # how sure the detector is that it is a word


class Crops:
    """Iterate over them, in the order of the words; they are decoded as they are asked for.

    how: how words are found in photographs; None: each picture is one word.
    skipped: files of folders and archives that are no pictures; unmatched: words that named nothing; wordless: photographs in which no
    word was found.
    """

    def __init__(self, words: Iterable[str], how: How | None = None) -> None:
        self._how = how
        self._inputs = Inputs(words, sys.stdin, expand=self._expand)
        self._inner: dict[str, Callable[[], np.ndarray]] = {}  # how to read what is no file
        self._left_out = 0
        self.wordless: list[str] = []

    def __iter__(self) -> Iterator[Crop]:
        ahead, read = (AHEAD, self._read) if self._how is None else (PHOTOS_AHEAD, self._find)
        with closing(read_ahead(self._inputs, read, ahead, bursts=True)) as items:
            for name, found, error in items:
                if error is not None or self._how is None:
                    yield Crop(name, found, error)
                    continue
                if not found:
                    self.wordless.append(name)
                yield from map(_of_photo, found)

    @property
    def skipped(self) -> int:
        return self._inputs.skipped + self._left_out

    @property
    def unmatched(self) -> list[str]:
        return self._inputs.unmatched

    def _read(self, name: str) -> np.ndarray:
        if name.lower().endswith(PACKED):
            raise DataError(f"{name}: archives of this kind are not read; give a zip, a tar or the folder itself")
        inner = self._inner.pop(name, None)
        return read_picture(name) if inner is None else inner()

    def _find(self, name: str) -> list[NamedCrop]:
        assert self._how is not None
        return crops_from_photo(name, self._how, self._read(name))

    def _expand(self, word: str) -> list[str] | None:
        """The words of an archive or a database; None where it is a file, a folder or a pattern of them."""
        path = Path(word)
        if path.suffix.lower() in ARCHIVES and path.is_file():
            return self._archive(word, ARCHIVES[path.suffix.lower()](path))
        if is_lmdb(path):
            return self._database(path)
        return None

    def _archive(self, word: str, store: ZipStore | TarStore) -> list[str]:
        members = store.zip.members if isinstance(store, ZipStore) else store.tar.members
        pictures = sorted(name for name in members if Path(name).suffix.lower() in SUFFIXES)
        self._left_out += len(members) - len(pictures)
        for name in pictures:
            self._inner[f"{word}:{name}"] = _reader(store, name)
        return [f"{word}:{name}" for name in pictures]

    def _database(self, path: Path) -> list[str]:
        table = read(path, "lmdb", labels=False)
        names = [f"{path}:{record.file}" for record in table.records]
        for name, record in zip(names, table.records, strict=True):
            self._inner[name] = lambda record=record: load_word(table.store, record)
        return names


def _reader(store: Store, name: str) -> Callable[[], np.ndarray]:
    return lambda: decode(store.read(name), store.where(name))


def _of_photo(word: NamedCrop) -> Crop:
    return Crop(word.name, word.picture, word.problem, word.box_42, word.corners_42, word.score)


def crops_of(words: Iterable[str], how: How | None = None) -> Crops:
    """words: pictures, folders, patterns, zip and tar archives, LMDBs, `-` for a list of paths on stdin."""
    return Crops(words, how)
