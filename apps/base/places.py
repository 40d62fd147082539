"""Where a verb reads and writes: looked at before the work, not after it."""

import os
from pathlib import Path

from apps.base.errors import UserError

__all__ = ["expanded", "output_file", "output_folder"]


def expanded(option: str, name: str) -> Path:
    """The path, `~` and `~somebody` read as a shell reads them."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{option} {name}: there is no such user, or no home folder; write the whole path") from None


def output_file(option: str, name: str | os.PathLike[str], *read: str | os.PathLike[str]) -> Path:
    """A file that can be written there: its folder exists, and it is no folder itself, nor one of those that are `read`."""
    path = Path(name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"{option} {name} names no file in an existing folder")
    if not os.access(path.absolute().parent, os.W_OK):
        raise UserError(f"{option} {name}: that folder cannot be written to; name another")
    for other in read:
        if _same_file(path, other):
            raise UserError(f"{option} {name} is read from, and would be overwritten; name another file")
    return path


def _same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether both are there and are one file, by whatever names."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def output_folder(option: str, name: str | os.PathLike[str]) -> Path:
    """A folder, made if it is not there."""
    path = Path(name)
    if path.exists() and not path.is_dir():
        raise UserError(f"{option} {name} is a file; name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {name}: {error.strerror}") from None
    return path
