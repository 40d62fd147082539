"""Members of a zip or tar, read without trusting it: no path leaves the folder, no links, no bombs."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from datamodules.errors import DataError
from datamodules.whole import write_whole

__all__ = ["MAX_BYTES", "MAX_MEMBERS", "MAX_RATIO", "Tar", "Zip", "iterate", "safe_extract"]

MAX_MEMBERS = 1_000_000
MAX_BYTES = 64 << 30  # unpacked, all members together
MAX_RATIO = 200  # unpacked to packed size, of each zip member and of a whole tar
SMALL = 1 << 20  # members below this may be packed tighter: a blank page is no bomb


class Zip:
    """A zip whose directory has been checked; `read` never returns more than the directory promised. Can be sent to workers."""

    def __init__(self, path: str | Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES):
        self.path = Path(path)
        try:
            self._file: zipfile.ZipFile | None = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(f"{path}: damaged zip ({error}); fetch it again") from None
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        members = [member for member in self._file.infolist() if not member.is_dir()]
        if len(members) > max_members:
            raise DataError(f"{path}: {len(members):,} members are more than the limit of {max_members:,}")
        total = 0
        self.members: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            where = f"{path}: {member.filename!r}"
            _check_name(member.filename, where)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise DataError(f"{where} is a link or device, which is never followed; pack plain files")
            if member.flag_bits & 1:
                raise DataError(f"{where} is encrypted; unpack the zip by hand")
            if member.filename in self.members:
                raise DataError(f"{where} is there twice; which one is meant cannot be known")
            if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
                raise DataError(f"{where} unpacks to more than {MAX_RATIO} times its size; unpack it by hand if it is to be trusted")
            total += member.file_size
            self.members[member.filename] = member
        if total > max_bytes:
            raise DataError(f"{path}: unpacks to {total:,} bytes, more than the limit of {max_bytes:,}")

    def read(self, name: str) -> bytes:
        if self._file is None:
            self._file = zipfile.ZipFile(self.path)
        member = self.members[name]
        try:
            with self._file.open(member) as file:
                data = file.read(member.file_size + 1)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, zlib.error) as error:
            raise DataError(f"{self.path}: {name!r} is damaged ({error}); fetch the zip again") from None
        if len(data) != member.file_size:
            raise DataError(f"{self.path}: {name!r} is not as long as the zip's directory says")
        return data

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_file": None}  # every process opens its own file


class Tar:
    """A tar without compression, whose members lie there as they are: `read` goes straight to one. Can be sent to workers."""

    def __init__(self, path: str | Path, *, max_members: int = MAX_MEMBERS):
        self.path = Path(path)
        self.members: dict[str, tuple[int, int]] = {}  # where it begins, and how long it is
        try:
            with tarfile.open(self.path, "r:") as archive:
                for number, member in enumerate(archive):
                    where = f"{path}: {member.name!r}"
                    if number >= max_members:
                        raise DataError(f"{path}: more members than the limit of {max_members:,}")
                    _check_name(member.name, where)
                    if member.isdir():
                        continue
                    if not member.isreg() or member.sparse is not None:
                        raise DataError(f"{where} is a link, device or sparse file, which is never followed; pack plain files")
                    name = str(PurePosixPath(member.name))  # "./a" is "a"
                    if name in self.members:
                        raise DataError(f"{where} is there twice; which one is meant cannot be known")
                    self.members[name] = (member.offset_data, member.size)
        except (tarfile.TarError, EOFError) as error:
            raise DataError(f"{path}: no plain tar ({error}); a packed one is unpacked by hand, or made a zip") from None
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None

    def read(self, name: str) -> bytes:
        begin, size = self.members[name]
        with self.path.open("rb") as file:
            file.seek(begin)
            return _contents(file, size, f"{self.path}: {name!r}")


def iterate(path: str | Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES) -> Iterator[tuple[str, bytes]]:
    """(name, contents) of every plain file of a zip or tar (gz, bz2, xz), limits kept on the way."""
    if zipfile.is_zipfile(path):
        archive = Zip(path, max_members=max_members, max_bytes=max_bytes)
        for name in archive.members:
            yield name, archive.read(name)
        return
    packed, total = Path(path).stat().st_size, 0
    allowed = min(max_bytes, max(SMALL, MAX_RATIO * packed))
    try:
        with tarfile.open(path, "r:*") as archive:
            for number, member in enumerate(archive):
                where = f"{path}: {member.name!r}"
                if number >= max_members:
                    raise DataError(f"{path}: more members than the limit of {max_members:,}")
                _check_name(member.name, where)
                if member.isdir():
                    continue
                if not member.isreg():
                    raise DataError(f"{where} is a link or device, which is never followed; pack plain files")
                total += member.size
                if total > allowed:
                    raise DataError(f"{path}: unpacks to more than {allowed:,} bytes; unpack it by hand if it is to be trusted")
                yield member.name, _contents(archive.extractfile(member), member.size, where)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: damaged or unknown archive ({error}); zip and tar are read") from None


def safe_extract(path: str | Path, folder: str | Path, **limits: int) -> list[Path]:
    """Write every file of the archive under `folder`; existing files are not overwritten but refused."""
    folder, written = Path(folder), []
    for name, contents in iterate(path, **limits):
        target = folder / PurePosixPath(name)
        if target.exists() or target.is_symlink():
            raise DataError(f"{target} exists; extract into an empty folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{target} leaves {folder} by a link that was there before; extract into an empty folder")
        with write_whole(target) as file:
            file.write(contents)
        written.append(target)
    return written


def _contents(file: IO[bytes] | None, size: int, where: str) -> bytes:
    data = file.read(size) if file else b""
    if len(data) != size:
        raise DataError(f"{where} is cut short; fetch the archive again")
    return data


def _check_name(name: str, where: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith(("/", "\\")) or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0]:
        raise DataError(f"{where} points out of the archive's folder; the archive is refused")
