"""Where a text comes from: a file, a member of an archive, or a text itself; and which of its instances is meant."""

import codecs
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from datamodules.accord.errors import ParseError
from datamodules.archive import iterate
from datamodules.errors import DataError

__all__ = ["ARCHIVES", "NO_INSTANCES", "Source", "open_source", "sources", "split_address", "text_source"]

ARCHIVES = (".tar", ".zip", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
# What lies beside instances without being one.
NO_INSTANCES = (
    ".tour",
    ".sol",
    ".md",
    ".py",
    ".pdf",
    ".html",
    ".png",
    ".svg",
    ".yaml",
    ".yml",
    ".ini",
    ".sh",
    "sha256sums",
    "license",
    "licence",
    "notice",
    "readme",
)
HEAD = 4096  # bytes that tell a text
HEAD_OF_TEXT = 20_000  # characters
MOST_BYTES = 256 << 20  # of one text, unpacked
DEEPEST = 4  # folders below the first


def _nothing(name: str) -> str | None:
    return None


@dataclass(frozen=True, eq=False)
class Source:
    """One text, read when it is first asked for. `where` is how it is called in what is said."""

    where: str
    stem: str  # names an instance that has no name of its own
    suffix: str
    load: Callable[[], str] = field(repr=False)
    file: str = ""  # the name alone, with its suffix
    beside: Callable[[str], str | None] = field(default=_nothing, repr=False)  # the text of a neighbour, by its name

    @cached_property
    def text(self) -> str:
        return self.load()

    @property
    def head(self) -> str:
        """Enough of it to tell what it is."""
        return self.text[:HEAD_OF_TEXT]

    @cached_property
    def lines(self) -> list[tuple[int, str]]:
        """(number, line), whatever the line ends are."""
        return list(enumerate(self.text.splitlines(), 1))

    @cached_property
    def filled(self) -> list[tuple[int, str]]:
        """The lines that hold something."""
        return [(number, line) for number, line in self.lines if line.strip()]


def text_source(text: str, where: str = "the text", file: str = "", beside: Callable[[str], str | None] = _nothing) -> Source:
    """file: the name that it would have"""
    path = PurePosixPath(file)
    return Source(where, path.stem, path.suffix.lower(), lambda: text.removeprefix("\ufeff"), file, beside)


def split_address(address: str | Path) -> tuple[Path, list[str]]:
    """FILE#member#3 is FILE and what is meant in it; a file whose own name has a # is found, too."""
    try:
        if Path(address).exists():
            return Path(address), []
    except OSError as error:  # such as a name that is too long
        raise DataError(f"{str(address)[:60]}: {error.strerror or error}") from None
    place, *members = str(address).split("#")
    return Path(place), members


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def open_source(path: Path) -> Source:
    def beside(name: str) -> str | None:
        there = path.parent / name
        return open_source(there).text if there.is_file() else None

    return _source(str(path), path.name, path.name, lambda: _bytes(path), beside)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            _check_text(str(path), head)
            data = head + file.read(MOST_BYTES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES >> 20} MiB; that is no file of instances")
    return data


def sources(path: Path, member: str | None = None) -> Iterator[Source]:
    """Of a file one; of an archive or folder one for each file in it that may hold instances.

    member: this one only
    """
    if path.is_dir():
        for there in _below(path):
            yield from sources(there)
    elif is_archive(path) and path.is_file():
        yield from _members(path, member)
    else:
        yield open_source(path)


def _below(folder: Path, depth: int = 0) -> Iterator[Path]:
    try:
        held = sorted(folder.iterdir()) if depth <= DEEPEST else []
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from None
    for there in held:
        if there.name.startswith("."):
            continue
        if there.is_dir():
            if not there.is_symlink():  # a link may lead back to where we come from
                yield from _below(there, depth + 1)
        elif not there.name.lower().endswith(NO_INSTANCES):
            yield there


def _members(path: Path, member: str | None) -> Iterator[Source]:
    held = {str(PurePosixPath(name)): data for name, data in iterate(path)}
    if member is not None and member not in held:
        near = [name for name in held if PurePosixPath(name).name == member or PurePosixPath(name).stem == member]
        if len(near) != 1:
            raise DataError(f"{path}: no member {member!r}; there are {len(held)}, such as {', '.join(sorted(held)[:3])}")
        member = near[0]
    for name in [member] if member is not None else sorted(held):
        if member is None and name.lower().endswith(NO_INSTANCES):
            continue
        folder = PurePosixPath(name).parent

        def beside(other: str, folder: PurePosixPath = folder) -> str | None:
            found = held.get(str(folder / other))
            return None if found is None else _decoded(f"{path}#{folder / other}", found, other.endswith(".gz"))

        yield _source(f"{path}#{name}", name, PurePosixPath(name).name, lambda name=name: held[name], beside)


def _source(where: str, place: str, file: str, load: Callable[[], bytes], beside: Callable[[str], str | None]) -> Source:
    """place: the path inside an archive, or the name alone"""
    packed = file.lower().endswith(".gz")
    path = PurePosixPath(place[:-3] if packed else place)
    # the folders of an archive tell its members apart: 00Uncorrelated/n00050/s000.kp is 00Uncorrelated_n00050_s000
    stem = "_".join(part for part in path.with_suffix("").parts if part != "/")
    return Source(where, stem, path.suffix.lower(), lambda: _decoded(where, load(), packed), path.name, beside)


def _unpacked(where: str, data: bytes) -> bytes:
    try:
        engine = zlib.decompressobj(wbits=31)
        out = engine.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise DataError(f"{where}: damaged gzip ({error}); fetch it again") from None
    if engine.unconsumed_tail:
        raise DataError(f"{where}: unpacks to more than {MOST_BYTES >> 20} MiB; that is no file of instances")
    if not engine.eof:
        raise DataError(f"{where}: the gzip is cut short; fetch it again")
    return out


def _check_text(where: str, head: bytes) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\x1f\x8b")):
        return
    if b"\0" in head:
        raise ParseError(f"{where}: binary, no text; instances are read from text files")


def _decoded(where: str, data: bytes, packed: bool) -> str:
    """UTF-8, with or without a mark; what is none is Latin-1, as old files' comments are."""
    if packed:
        data = _unpacked(where, data)
    _check_text(where, data[:HEAD])
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
