"""Text files of comma-separated numbers, plain or gzipped; a line that is not what it should be is named."""

import gzip
import io
import re
import zlib
from pathlib import Path

import numpy as np

from datamodules.errors import DataError

__all__ = ["find_file", "read_numbers", "read_text"]

MOST = 1 << 30  # bytes of one file, unpacked


def find_file(path: Path) -> Path | None:
    """The file, or the same with .gz behind."""
    return next((found for found in (path, path.with_name(path.name + ".gz")) if found.is_file()), None)


def read_numbers(path: Path, dtype: type, columns: int | None = None, unknown: bool = False) -> np.ndarray:
    """Rows of numbers (rows, columns). columns: how many there must be; None takes any, the same in each row.

    unknown: an empty cell is NaN
    """
    text = read_text(path)
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
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                data = file.read(MOST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MOST + 1)
        if len(data) > MOST:
            raise DataError(f"{path}: more than {MOST >> 30} GiB of text; split the set")
        return data.decode(encoding)
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
