"""A TorchScript, pt2 or ONNX file is a program. It runs when its sha256 is on the user's list, or when the user says so.

The list is `~/.config/discern/trusted`: one hash a line, then a comment; readable and writable by its owner only.
Files written here are on it. safetensors hold weights only and need no trust.
"""

import os
from pathlib import Path
from typing import IO

from apps.base.errors import UserError
from apps.base.only_writer import only_writer

__all__ = ["add", "require", "trusted", "trusted_list"]


def trusted_list() -> Path:
    return _home() / ".config" / "discern" / "trusted"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise UserError(
            "the list of trusted programs lies in your home folder, and you have none here; set HOME, or take --trust"
        ) from None


def trusted(digest: str) -> bool:
    """Whether the sha256 is on the list."""
    return digest.lower() in _hashes(_read())


def add(digest: str, comment: str = "") -> None:
    """Put a sha256 on the list: one line at its end, so that of two exports at once none is lost."""
    path = trusted_list()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with only_writer(path, lambda waiting: None), _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
        text = _text(path, file)
        if digest.lower() in _hashes(text):
            return
        line = f"{digest.lower()}  # {' '.join(comment.split())}\n" if comment else f"{digest.lower()}\n"
        broken_off = text and not text.endswith("\n")
        file.write(("\n" if broken_off else "") + line)
        file.flush()
        os.fsync(file.fileno())


def require(name: str | os.PathLike[str], digest: str, trust: bool = False) -> None:
    """Stop here unless the file of this hash may run. The hash is that of the bytes that will be loaded, not of a path."""
    if not trust and not trusted(digest):
        raise UserError(
            f"{name} is a program from elsewhere and is not trusted (sha256 {digest}): "
            f"run it once with --trust (trust=True in Python), or add the hash to {trusted_list()}"
        )


def _read() -> str:
    path = trusted_list()
    try:
        with _opened(path, os.O_RDONLY) as file:
            return _text(path, file)
    except FileNotFoundError:
        return ""


def _opened(path: Path, flags: int) -> IO[str]:
    try:
        handle = os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}); correct it or delete it") from error
    return os.fdopen(handle, "r+" if flags & os.O_RDWR else "r", encoding="utf-8")


def _text(path: Path, file: IO[str]) -> str:
    """What the open file holds, when nobody but its owner, who is this user, could have written it."""
    if hasattr(os, "geteuid"):  # Windows has no such owners and bits; there a profile's folder is its user's alone
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid():
            raise UserError(f"{path} belongs to another user, so it says nothing; delete it or make it yours")
        if status.st_mode & 0o022:
            raise UserError(f"{path} can be written by others, so it says nothing; chmod 600 it after looking at what it holds")
    try:
        return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); correct it or delete it") from error


def _hashes(text: str) -> set[str]:
    words = (line.partition("#")[0].split() for line in text.splitlines())
    return {first.lower() for first, *_ in filter(None, words)}
