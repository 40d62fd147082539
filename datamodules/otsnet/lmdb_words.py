"""Words into an LMDB of the field, one after the other and in constant memory; letters' boxes, where they are known, under keys of ours.

Keys must ascend, and `image-` comes before `label-`: labels and boxes wait in a nameless file until the pictures are written.
"""

import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.otsnet.lmdb_write import write_lmdb

__all__ = ["LETTERS", "Written", "letter_boxes", "write_words"]

LETTERS = b"letters-"  # float32 little-endian x0 y0 x1 y1 of every character of the label, in pixels of the picture; others pass it by
LENGTH = struct.Struct("<I")


class Written(NamedTuple):
    picture: bytes  # an encoded file
    label: str
    boxes: np.ndarray | None = None  # (letters,4), in pixels of the picture


def write_words(folder: str | Path, words: Iterable[Written]) -> int:
    """folder/data.mdb; how many words."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as waiting:
        counted = _Counted(words, waiting)
        write_lmdb(folder, counted.items())
    return counted.count


def letter_boxes(value: bytes) -> np.ndarray:
    """(letters,4) of what stands under a key of LETTERS."""
    if len(value) % 16 or not np.isfinite(boxes := np.frombuffer(value, "<f4")).all():
        raise DataError(f"{len(value)} bytes are no boxes of letters; write the database anew")
    return boxes.reshape(-1, 4)


class _Counted:
    def __init__(self, words: Iterable[Written], waiting: IO[bytes]) -> None:
        self.words, self.waiting, self.count, self.boxed = words, waiting, 0, False

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        for word in self.words:
            self.count += 1
            yield b"image-%09d" % self.count, word.picture
            boxes = b"" if word.boxes is None else np.ascontiguousarray(word.boxes, "<f4").tobytes()
            self.boxed = self.boxed or bool(boxes)
            for part in (word.label.encode(), boxes):
                self.waiting.write(LENGTH.pack(len(part)) + part)
        for number, (label, _) in enumerate(self._waited(), 1):
            yield b"label-%09d" % number, label
        for number, (_, boxes) in enumerate(self._waited() if self.boxed else (), 1):
            if boxes:
                yield LETTERS + b"%09d" % number, boxes
        yield b"num-samples", b"%d" % self.count

    def _waited(self) -> Iterator[tuple[bytes, bytes]]:
        self.waiting.seek(0)
        for _ in range(self.count):
            yield self._part(), self._part()

    def _part(self) -> bytes:
        return self.waiting.read(LENGTH.unpack(self.waiting.read(LENGTH.size))[0])
