"""Lists as the field brings them: a word a line, never quoted as a CSV is, since the quote is one of the characters that are read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodules.errors import DataError

__all__ = ["PICTURES", "first_line", "json_of", "lines", "lines_of", "read_list"]

MOST = 1 << 30
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of all that are not blank, without their ends."""
    return lines_of(read_list(path), str(path))


def lines_of(data: bytes, name: str) -> Iterator[tuple[int, str]]:
    """UTF-8 with or without a byte order mark, LF or CRLF. Only these end a line: a label may hold odder separators."""
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise DataError(f"{name}:{number}: not UTF-8; save the list anew") from None
        if line.strip():
            yield number, line


def first_line(path: Path) -> str:
    """The first line that is not blank, of files that may be anything; "" where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return ""
    for raw in head.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if raw.strip():
            return raw.removesuffix(b"\r").decode(errors="replace")
    return ""


def json_of(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}); save it anew") from None


def read_list(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST:
            raise DataError(f"{path}: list of more than {MOST >> 30} GiB; split it")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
