"""Writes an LMDB `data.mdb` in one go from sorted keys; LMDB 0.9 and everything that reads the field's sets takes it."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from datamodules.errors import DataError
from datamodules.otsnet.lmdb_file import BIG, BRANCH, HEADER, LEAF, MAGIC, META, NODE, NOWHERE, NUMBER, OVERFLOW, VERSION
from datamodules.whole import write_whole

__all__ = ["write_lmdb"]

PAGE = 4096
LONGEST_KEY = 511
LONGEST_NODE = ((PAGE - HEADER.size) // 2 & -2) - 2  # two must fit a page; a longer value gets pages of its own
INTEGER_KEYS = 8  # of the list of free pages, which is empty here


def write_lmdb(folder: str | Path, items: Iterable[tuple[bytes, bytes]]) -> Path:
    """folder/data.mdb of (key, value) pairs whose keys ascend; written whole or not at all."""
    path = Path(folder) / "data.mdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        _Tree(file).write(items)
    return path


class _Tree:
    """Pages are numbered as they are written: values and leaves first, branches above them, the two metas in front at the end."""

    def __init__(self, file: IO[bytes]):
        self.file, self.next = file, 2
        self.pages = {BRANCH: 0, LEAF: 0, OVERFLOW: 0}
        file.write(bytes(2 * PAGE))

    def write(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        entries, last = 0, b""
        level: list[tuple[bytes, int]] = []  # the first key of every page, and the page
        nodes: list[bytes] = []
        first, room = b"", PAGE - HEADER.size
        for key, value in items:
            if not 0 < len(key) <= LONGEST_KEY or key <= last:
                raise DataError(f"key {key[:40]!r}: LMDB's keys have 1 to {LONGEST_KEY} bytes, and here they ascend")
            node = self._leaf_node(key, value)
            if nodes and len(node) + 2 > room:
                level.append((first, self._page(LEAF, nodes)))
                nodes, room = [], PAGE - HEADER.size
            if not nodes:
                first = key
            nodes.append(node)
            room -= len(node) + 2
            entries, last = entries + 1, key
        if nodes:
            level.append((first, self._page(LEAF, nodes)))
        depth = 1 if level else 0
        while len(level) > 1:
            level, depth = self._branches(level), depth + 1
        self._metas(level[0][1] if level else NOWHERE, depth, entries)

    def _leaf_node(self, key: bytes, value: bytes) -> bytes:
        size, flags = len(value), 0
        if NODE.size + len(key) + size > LONGEST_NODE:
            value, flags = NUMBER.pack(self._long(value)), BIG
        return _even(NODE.pack(size & 0xFFFF, size >> 16, flags, len(key)) + key + value)

    def _long(self, value: bytes) -> int:
        """A value on pages of its own; the number of the first."""
        number, count = self.next, -(-(HEADER.size + len(value)) // PAGE)
        self.file.write(HEADER.pack(number, 0, OVERFLOW, count & 0xFFFF, count >> 16) + value)
        self.file.write(bytes(count * PAGE - HEADER.size - len(value)))
        self.next += count
        self.pages[OVERFLOW] += count
        return number

    def _page(self, kind: int, nodes: list[bytes]) -> int:
        """Pointers grow from the front, nodes from the end."""
        number, upper = self.next, PAGE
        pointers = b""
        for node in nodes:
            upper -= len(node)
            pointers += upper.to_bytes(2, "little")
        head = HEADER.pack(number, 0, kind, HEADER.size + len(pointers), upper) + pointers
        self.file.write(head + bytes(upper - len(head)) + b"".join(reversed(nodes)))
        self.next += 1
        self.pages[kind] += 1
        return number

    def _branches(self, level: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        above, group, room = [], [], PAGE - HEADER.size
        groups = [group]
        for key, page in level:
            need = len(_branch_node(key, page)) + 2
            if len(group) > 1 and need > room:
                group, room = [], PAGE - HEADER.size
                groups.append(group)
            group.append((key, page))
            room -= need
        if len(group) == 1:  # a branch has two children or more
            group.insert(0, groups[-2].pop())
        for group in groups:
            nodes = [_branch_node(key if row else b"", page) for row, (key, page) in enumerate(group)]
            above.append((group[0][0], self._page(BRANCH, nodes)))
        return above

    def _metas(self, root: int, depth: int, entries: int) -> None:
        free = (PAGE, INTEGER_KEYS, 0, 0, 0, 0, 0, NOWHERE)
        main = (0, 0, depth, self.pages[BRANCH], self.pages[LEAF], self.pages[OVERFLOW], entries, root)
        self.file.seek(0)
        for number in range(2):
            meta = META.pack(MAGIC, VERSION, 0, self.next * PAGE, *free, *main, self.next - 1, number)
            page = HEADER.pack(number, 0, OVERFLOW << 1, 0, 0) + meta
            self.file.write(page + bytes(PAGE - len(page)))


def _branch_node(key: bytes, page: int) -> bytes:
    return _even(NODE.pack(page & 0xFFFF, page >> 16 & 0xFFFF, page >> 32, len(key)) + key)


def _even(node: bytes) -> bytes:
    return node + bytes(len(node) % 2)
