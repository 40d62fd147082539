"""RecordIO, as MXNet wrote it and InsightFace's packs are: records by key, each a header with labels and an encoded image."""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from datamodules.errors import DataError

__all__ = ["MAGIC", "Record", "RecordFile"]

MAGIC = 0xCED7230A
LENGTH = (1 << 29) - 1  # the lower bits of the second word; the upper three say whole, first, middle or last part
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEADER = struct.Struct("<IfQQ")
MOST_LABELS = 1 << 16


class Record(NamedTuple):
    labels: tuple[float, ...]
    image: bytes


class RecordFile:
    """`train.rec` with the offsets of `train.idx`; without an index the file is scanned, and records are counted from 0."""

    def __init__(self, path: Path):
        self.path = path
        self._file: BinaryIO | None = None
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        index = path.with_suffix(".idx")
        self.indexed = index.is_file()
        self.offsets = self._index(index) if self.indexed else self._scan()

    def read(self, key: int) -> Record:
        return self._unpack(self._payload(self.offsets[key])[0], self.offsets[key])

    def labels(self, key: int) -> tuple[float, ...]:
        """The labels alone, without reading the image where the record is whole."""
        at = self.offsets[key]
        part, length = self._part(at)
        if part != WHOLE or length < HEADER.size:
            return self.read(key).labels
        flag, label, _, _ = HEADER.unpack(self._bytes(at + 8, HEADER.size))
        if not flag:
            return (label,)
        self._check_labels(flag, length, at)
        return struct.unpack(f"<{flag}f", self._bytes(at + 8 + HEADER.size, 4 * flag))

    def _unpack(self, payload: bytes, at: int) -> Record:
        if len(payload) < HEADER.size:
            raise DataError(f"{self.path}: the record at byte {at} is too short for its header; fetch it again")
        flag, label, _, _ = HEADER.unpack_from(payload)
        self._check_labels(flag, len(payload), at)
        labels = struct.unpack_from(f"<{flag}f", payload, HEADER.size) if flag else (label,)
        return Record(labels, payload[HEADER.size + 4 * flag :])

    def _check_labels(self, flag: int, length: int, at: int) -> None:
        if flag > MOST_LABELS or HEADER.size + 4 * flag > length:
            raise DataError(f"{self.path}: the record at byte {at} claims {flag} labels; fetch it again")

    def _payload(self, at: int) -> tuple[bytes, int]:
        """(all parts joined, where the next record begins). Parts were cut where the magic number stood, which belongs between them."""
        part, length = self._part(at)
        if part in (MIDDLE, LAST):
            raise DataError(f"{self.path}: the record at byte {at} begins in its middle; write the index anew")
        pieces, place = [self._bytes(at + 8, length)], at + 8 + length + -length % 4
        while part in (FIRST, MIDDLE):
            part, length = self._part(place)
            if part not in (MIDDLE, LAST):
                raise DataError(f"{self.path}: the record at byte {at} lacks its last part; fetch it again")
            pieces.append(self._bytes(place + 8, length))
            place += 8 + length + -length % 4
        return struct.pack("<I", MAGIC).join(pieces), place

    def _part(self, at: int) -> tuple[int, int]:
        magic, word = struct.unpack("<II", self._bytes(at, 8))
        if magic != MAGIC:
            raise DataError(f"{self.path}: no record at byte {at} (magic {magic:#010x}); fetch it again, and its index")
        return word >> 29, word & LENGTH

    def _bytes(self, at: int, count: int) -> bytes:
        if self._file is None:
            self._file = self.path.open("rb")
        self._check_end(at, count)
        self._file.seek(at)
        return self._file.read(count)

    def _check_end(self, at: int, count: int) -> None:
        if at + count > self.size:
            raise DataError(f"{self.path}: ends at byte {self.size}, but the record at byte {at} needs {count} more; fetch it again")

    def _index(self, index: Path) -> dict[int, int]:
        offsets = {}
        for number, line in enumerate(index.read_text("ascii", "replace").splitlines(), 1):
            words = line.split()
            if not words:
                continue
            if len(words) != 2 or not all(word.isdigit() for word in words):
                raise DataError(f"{index}:{number}: not a key and a byte offset; remove the index, so that the records are scanned")
            offsets[int(words[0])] = int(words[1])
        return offsets

    def _scan(self) -> dict[int, int]:
        offsets, at = {}, 0
        while at < self.size:
            offsets[len(offsets)] = at
            part, length = self._part(at)
            self._check_end(at, 8 + length)
            at = at + 8 + length + -length % 4 if part == WHOLE else self._payload(at)[1]
        return offsets

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_file": None}  # every process opens its own file
