"""Where the files of a data set lie: a folder, or a zip or tar that is read as it is. All can be sent to workers."""

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from datamodules.archive import Tar, Zip
from datamodules.errors import DataError
from datamodules.pictures import MAX_BYTES

__all__ = ["FolderStore", "Store", "TarStore", "ZipStore", "fingerprint", "inside"]


class Store(Protocol):
    def __contains__(self, name: str, /) -> bool: ...
    def where(self, name: str) -> str:
        """How people are told of it."""
        ...

    def read(self, name: str) -> bytes: ...
    def mark(self, name: str) -> str:
        """What tells cheaply whether a file is still the same."""
        ...


class FolderStore:
    def __init__(self, root: Path):
        self.root = root

    def __contains__(self, name: str) -> bool:
        return (self.root / name).is_file()

    def where(self, name: str) -> str:
        return str(self.root / name)

    def read(self, name: str) -> bytes:
        path = self.root / name
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"{path}: file of more than {MAX_BYTES >> 20} MiB; export it smaller")
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None

    def mark(self, name: str) -> str:
        """What tells cheaply whether a file is still the same: its size and time."""
        stat = (self.root / name).stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"


class ZipStore:
    def __init__(self, path: Path):
        self.zip = Zip(path)
        self.root = path

    def __contains__(self, name: str) -> bool:
        return name in self.zip.members

    def where(self, name: str) -> str:
        return f"{self.root}:{name}"

    def read(self, name: str) -> bytes:
        return self.zip.read(name)

    def mark(self, name: str) -> str:
        """A zip's directory knows each member's size and checksum."""
        member = self.zip.members[name]
        return f"{member.file_size} {member.CRC:08x}"


class TarStore:
    def __init__(self, path: Path):
        self.tar = Tar(path)
        self.root = path

    def __contains__(self, name: str) -> bool:
        return name in self.tar.members

    def where(self, name: str) -> str:
        return f"{self.root}:{name}"

    def read(self, name: str) -> bytes:
        return self.tar.read(name)

    def mark(self, name: str) -> str:
        """A tar knows no checksums, so its own time counts for all."""
        return f"{self.tar.members[name][1]} {self.root.stat().st_mtime_ns}"


def fingerprint(store: Store, names: Iterable[str], *, hash_content: bool = False) -> str:
    """Of names, sizes and times (in a zip: checksums); of names and contents with `hash_content`."""
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        try:
            mark = hashlib.sha256(store.read(name)).hexdigest() if hash_content else store.mark(name)
        except (OSError, KeyError):
            mark = "missing"
        digest.update(f"{name}\0{mark}\n".encode())
    return digest.hexdigest()


def inside(file: str) -> bool:
    """The name stays in the data's folder."""
    name = PurePosixPath(file)
    return bool(file) and not name.is_absolute() and ".." not in name.parts and "\\" not in file and "\0" not in file
