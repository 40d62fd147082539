"""Files are written whole: temporary file, fsync, rename. A reader sees the old one or the new one, never half of one."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["is_draft", "put_whole", "sha256", "write_bytes", "write_whole"]


@contextlib.contextmanager
def write_whole(path: str | os.PathLike[str], mode: str = "wb", *, private: bool = False) -> Iterator[IO]:
    """Yield a file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    >>> with write_whole("model.bin") as file:
    ...     file.write(b"...")
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None  # the draft's name says nothing to the user
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.chmod(name, 0o600 if private else 0o666 & ~_umask())  # noqa: PTH101
        put_whole(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108
        raise


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    with write_whole(path) as file:
        file.write(data)


def put_whole(draft: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """A finished file of the same file system takes the place of `path`, once it is on the disk."""
    with Path(draft).open("rb") as file:
        os.fsync(file.fileno())
    Path(draft).replace(path)
    _sync_folder(Path(path).parent)


def is_draft(path: Path) -> bool:
    """Whether it has the name of a temporary file or folder of ours, `.name.xxxxxxxx`: people name files `.my.model.ts`, too."""
    return re.fullmatch(r"\..+\.[a-z0-9_]{8}", path.name) is not None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """The rename itself reaches the disk only with its folder; systems that cannot open folders skip it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256(path: str | os.PathLike[str]) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
