"""CLAM's splits_<k>.csv: the columns train, val and test list slides, as long as each is."""

import re
from pathlib import Path

from datamodules.checks import shorten
from datamodules.csv_rows import csv_rows
from datamodules.errors import DataError
from datamodules.mil.slide_name import slide_name

__all__ = ["count_splits", "read_split"]

COLUMNS = ("train", "val", "test")


def count_splits(path: Path) -> int:
    """How many there are: 1 where `path` is a file."""
    if path.is_file():
        return 1
    if not path.is_dir():
        raise DataError(f"splits={path}: no such file or folder; name the folder that holds CLAM's splits_0.csv, splits_1.csv and so on")
    found = sorted(
        int(match[1]) for match in map(re.compile(r"splits_(\d+)\.csv").fullmatch, (file.name for file in path.iterdir())) if match
    )
    if not found or found != list(range(len(found))):
        raise DataError(
            f"splits={path}: needs splits_0.csv, splits_1.csv and so on without a gap; there are {found or 'none'}; add or rename files"
        )
    return len(found)


def read_split(path: Path, fold: int) -> dict[str, str]:
    """Slide -> train, val or test."""
    count = count_splits(path)
    if not 0 <= fold < count:
        raise DataError(f"splits={path}: fold is from 0 to {count - 1}, not {fold}")
    file = path if path.is_file() else path / f"splits_{fold}.csv"
    rows, problems, columns = csv_rows(file)
    if problems or not {"train", "test"} <= set(columns):
        raise DataError(
            problems[0] if problems else f"{file}: its header is {','.join(columns)}; CLAM's has train, val and test: rename the columns"
        )
    split: dict[str, str] = {}
    for line, row in rows:
        for name in COLUMNS:
            if slide := slide_name(row.get(name, "")):
                if slide in split:
                    raise DataError(f"{file}:{line}: {slide} is in {split[slide]} and in {name}; keep it in one")
                split[slide] = name
    if missing := [name for name in ("train", "test") if name not in split.values()]:
        raise DataError(f"{file}: lists no slide under {shorten(missing)}; it takes slides to train on and to test")
    return split
