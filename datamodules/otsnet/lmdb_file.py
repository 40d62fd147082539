"""Reads the scene-text field's container, an LMDB `data.mdb`, with nothing but the standard library.

ours: the library maps a file and trusts every number in it, so a damaged or made-up one ends the process; here every page, pointer and
length is checked before it is followed. Read: data version 1 (LMDB 0.9, all that py-lmdb has ever written), little-endian, one unnamed
database without duplicate keys, which is what the field uses.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from datamodules.errors import DataError

__all__ = ["BIG", "BRANCH", "HEADER", "LEAF", "MAGIC", "META", "NODE", "NOWHERE", "NUMBER", "OVERFLOW", "VERSION", "LmdbFile"]

MAGIC, VERSION = 0xBEEFC0DE, 1
HEADER = struct.Struct("<QHHHH")  # page number, unused, flags, end of the pointers, start of the nodes
NODE = struct.Struct("<HHHH")  # low and high half of a size (of a branch: of a page number), flags (its highest bits), length of the key
# magic, version, address, size of the map; then twice (free list, our database): page size, flags, depth, pages of branches, of leaves,
# of overflow, entries, root; then the last page and the transaction
META = struct.Struct("<IIQQ" + "IHHQQQQQ" * 2 + "QQ")
BRANCH, LEAF, OVERFLOW = 1, 2, 4
BIG, SUB, DUP = 1, 2, 4
NOWHERE = 2**64 - 1
DEEPEST = 32
POINTER = struct.Struct("<H")
NUMBER = struct.Struct("<Q")


class LmdbFile:
    """Key to value, and values in the order of their keys. Can be sent to workers: every process opens its own map.

    >>> LmdbFile("train/data.mdb").get(b"num-samples")
    b'3000'
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._map: mmap.mmap | None = None
        self._open()

    def __len__(self) -> int:
        return self.entries

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None where there is none."""
        found = self._find(key)
        return None if found is None else self._data[slice(*found)]

    def size(self, key: bytes) -> int | None:
        """How long the value is, without reading it."""
        found = self._find(key)
        return None if found is None else found[1] - found[0]

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of all keys that begin so, sorted."""
        if self.root != NOWHERE:
            visited: set[int] = set()
            for key, (first, last) in self._walk(self.root, prefix, visited):
                yield key, self._data[first:last]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_map": None}

    @property
    def _data(self) -> mmap.mmap:
        if self._map is None:
            self._open()
        assert self._map is not None
        return self._map

    def _open(self) -> None:
        try:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise DataError(f"{self.path}: empty file; copy it again") from None
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}") from None
        first = self._meta(0)
        self.page_size = first[4]
        if self.page_size not in (2**n for n in range(9, 17)):
            raise DataError(f"{self.path}: page size {self.page_size} is none of LMDB's; copy it again")
        last = max((first, self._meta(self.page_size)), key=lambda meta: meta[-1])  # the two take turns: the later transaction counts
        flags, depth, self.entries, self.root = last[13], last[14], last[18], last[19]
        if flags or depth > DEEPEST:
            raise DataError(f"{self.path}: a database with flags {flags:#x}, {depth} pages deep, is not of the scene-text kind")

    def _meta(self, at: int) -> tuple[int, ...]:
        if at + HEADER.size + META.size > len(self._data):
            raise DataError(f"{self.path}: {len(self._data)} bytes are too few for LMDB; copy it again")
        meta = META.unpack_from(self._data, at + HEADER.size)
        if meta[0] != MAGIC:
            raise DataError(f"{self.path}: not an LMDB file of this kind of machine; copy it again")
        if meta[1] != VERSION:
            raise DataError(f"{self.path}: LMDB data version {meta[1]}; version {VERSION} is read: write it anew with LMDB 0.9")
        return meta

    def _find(self, key: bytes) -> tuple[int, int] | None:
        if self.root == NOWHERE:
            return None
        page = self.root
        for _ in range(DEEPEST):
            at, flags, count = self._page(page)
            if flags & LEAF:
                row = self._first_from(at, count, key, 0)
                return self._value(at, row) if row < count and self._key(at, row) == key else None
            row = self._first_from(at, count, key, 1)
            page = self._child(at, row if row < count and self._key(at, row) == key else row - 1)
        raise self._damaged("its pages go round in a circle")

    def _walk(self, page: int, prefix: bytes, visited: set[int]) -> Iterator[tuple[bytes, tuple[int, int]]]:
        if page in visited:
            raise self._damaged("its pages go round in a circle")
        visited.add(page)
        at, flags, count = self._page(page)
        row = self._first_from(at, count, prefix, 0 if flags & LEAF else 1)
        if flags & LEAF:
            for number in range(row, count):
                key = self._key(at, number)
                if not key.startswith(prefix):
                    return
                yield key, self._value(at, number)
            return
        for number in range(row - 1, count):
            if number >= row and not (key := self._key(at, number)).startswith(prefix) and key > prefix:
                return
            yield from self._walk(self._child(at, number), prefix, visited)

    def _page(self, number: int) -> tuple[int, int, int]:
        """(where it begins, flags, how many nodes)."""
        at = number * self.page_size
        if at + self.page_size > len(self._data):
            raise self._damaged(f"page {number} lies beyond its end")
        says, _, flags, lower, upper = HEADER.unpack_from(self._data, at)
        kind = flags & (BRANCH | LEAF | OVERFLOW)
        if says != number or kind not in (BRANCH, LEAF) or not HEADER.size <= lower <= upper <= self.page_size:
            raise self._damaged(f"page {number} is none of its tree")
        count = (lower - HEADER.size) // 2
        if kind == BRANCH and count < 1:
            raise self._damaged(f"page {number} leads nowhere")
        return at, flags, count

    def _node(self, at: int, row: int) -> tuple[int, int, int, int]:
        """(where its key begins, size or page, flags, length of the key)."""
        place = POINTER.unpack_from(self._data, at + HEADER.size + 2 * row)[0]
        if place + NODE.size > self.page_size:
            raise self._damaged(f"an entry of page {at // self.page_size} lies outside it")
        low, high, flags, length = NODE.unpack_from(self._data, at + place)
        if place + NODE.size + length > self.page_size:
            raise self._damaged(f"a key of page {at // self.page_size} lies outside it")
        return at + place + NODE.size, low | high << 16, flags, length

    def _key(self, at: int, row: int) -> bytes:
        begin, _, _, length = self._node(at, row)
        return self._data[begin : begin + length]

    def _child(self, at: int, row: int) -> int:
        _, low, high, _ = self._node(at, row)
        return low | high << 32

    def _value(self, at: int, row: int) -> tuple[int, int]:
        begin, size, flags, length = self._node(at, row)
        begin += length
        if flags & (SUB | DUP):
            raise DataError(f"{self.path}: holds named databases or doubled keys, which the scene-text field has not")
        if flags & BIG:
            if begin + NUMBER.size > at + self.page_size:
                raise self._damaged(f"an entry of page {at // self.page_size} lies outside it")
            page = NUMBER.unpack_from(self._data, begin)[0]
            begin = page * self.page_size + HEADER.size
            if begin + size > len(self._data):
                raise self._damaged(f"page {page} lies beyond its end")
            says, _, kind = HEADER.unpack_from(self._data, page * self.page_size)[:3]
            if says != page or not kind & OVERFLOW:
                raise self._damaged(f"page {page} holds no long value")
        elif begin + size > at + self.page_size:
            raise self._damaged(f"a value of page {at // self.page_size} lies outside it")
        return begin, begin + size

    def _first_from(self, at: int, count: int, key: bytes, low: int) -> int:
        """The first row from `low` on whose key is not below this one; a branch's first key is empty and stands for all below."""
        high = count
        while low < high:
            middle = (low + high) // 2
            if self._key(at, middle) < key:
                low = middle + 1
            else:
                high = middle
        return low

    def _damaged(self, why: str) -> DataError:
        return DataError(f"{self.path}: damaged LMDB ({why}); copy it again")
