"""Text files of comma-separated numbers, plain or gzipped; a line that is not what it should be is named."""

import gzip
import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from datamodules.errors import DataError

__all__ = ["find_file", "first_lines", "numbers_of", "read_numbers", "read_text"]

MOST = 1 << 30  # bytes of one file, unpacked
MOST_LINE = 1 << 20  # bytes of a line that a layout is known by


def find_file(path: Path) -> Path | None:
    """The file, or the same with .gz behind."""
    return next((found for found in (path, path.with_name(path.name + ".gz")) if found.is_file()), None)


def read_numbers(path: Path, dtype: type, columns: int | None = None, unknown: bool = False) -> np.ndarray:
    """Rows of numbers (rows, columns). columns: how many there must be; None takes any, the same in each row.

    unknown: an empty cell is NaN
    """
    return numbers_of(read_text(path), path, dtype, columns, unknown)


def numbers_of(text: str, path: Path, dtype: type, columns: int | None = None, unknown: bool = False) -> np.ndarray:
    """The same of a text that was read already; path is what an error names."""
    if unknown:
        text = re.sub(r"(?m)(?:(?<=,)|^)[ \t]*(?=,|$)", "nan", text.replace("\r\n", "\n").removesuffix("\n"))
    if not text.strip():
        return np.zeros((0, columns or 1), dtype)
    try:
        found = np.loadtxt(io.StringIO(text), dtype, delimiter=",", ndmin=2, comments=None)
    except ValueError:
        raise DataError(_broken(path, text, dtype)) from None
    if columns is not None and found.shape[1] != columns:
        raise DataError(f"{path}:1: {found.shape[1]} columns instead of {columns}")
    wrong = np.isinf(found) if unknown else ~np.isfinite(found)
    if wrong.any():
        line = int(np.flatnonzero(wrong.any(1))[0]) + 1
        raise DataError(f"{path}:{line}: a number that is not finite")
    return found


def read_text(path: Path, encoding: str = "ascii") -> str:
    """The whole file, unpacked where it ends in .gz."""

    def whole(file: BinaryIO) -> bytes:
        data = file.read(MOST + 1)
        if len(data) > MOST:
            raise DataError(f"{path}: more than {MOST >> 30} GiB of text; split the set")
        return data

    return _read(path, encoding, whole)


def first_lines(path: Path, n: int, encoding: str = "ascii") -> list[str]:
    """So many lines or fewer, without their ends; no more of the file is read."""
    return _read(path, encoding, lambda file: b"".join(file.readline(MOST_LINE) for _ in range(n))).splitlines()


def _read(path: Path, encoding: str, take: Callable[[BinaryIO], bytes]) -> str:
    try:
        with cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as file:
            return take(file).decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not plain text at byte {error.start}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _broken(path: Path, text: str, dtype: type) -> str:
    """Which line cannot be read, and why."""
    width = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split(",")
        for part in parts:
            try:
                dtype(part)
            except ValueError:
                return f"{path}:{number}: {part.strip()!r} is no {'whole ' if issubclass(dtype, np.integer) else ''}number"
        if width is not None and len(parts) != width:
            return f"{path}:{number}: {len(parts)} columns, {width} in the lines before"
        width = len(parts)
    return f"{path}: not a table of numbers"
