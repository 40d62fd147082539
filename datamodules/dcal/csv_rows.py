"""A CSV as rows with their line numbers, and the place of the pictures that it names."""

import csv
from pathlib import Path

from datamodules.dcal.lists import inside
from datamodules.errors import DataError
from datamodules.store import FolderStore, Store, ZipStore

__all__ = ["csv_rows", "header", "store_beside"]


def header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return [name.strip().lower() for name in next(csv.reader(lines), [])]
    except (UnicodeDecodeError, csv.Error):
        return []


def csv_rows(index: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str], list[str]]:
    """((line, row) pairs, problems, columns); a row with too many or too few cells is a problem and left out."""
    rows, problems = [], []
    try:
        with index.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            columns = [name.strip().lower() for name in next(reader)]
            if len(set(columns)) < len(columns):
                raise DataError(f"{index}:1: a column is there twice; rename one")
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(columns):
                    problems.append(
                        f"{index}:{reader.line_num}: {len(cells)} cells under {len(columns)} columns; quote names that contain commas"
                    )
                    continue
                rows.append((reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=True))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{index}: not a CSV in UTF-8 ({error}); save it anew") from None
    return rows, problems, columns


def store_beside(index: Path, files: list[str]) -> Store:
    """Pictures beside the CSV or in images/; else in images.zip or the only zip. Where the first files are found decides."""
    folder = index.parent
    archives = [folder / "images.zip"] if (folder / "images.zip").is_file() else sorted(folder.glob("*.zip"))
    places: list[Store] = [FolderStore(folder), FolderStore(folder / "images")]
    if len(archives) == 1:
        places.append(ZipStore(archives[0]))
    sample = files[:: max(1, len(files) // 50)]
    counts = [sum(inside(file) and file in place for file in sample) for place in places]
    if max(counts) == 0 and len(archives) > 1:
        raise DataError(f"{folder}: several zips and none called images.zip; rename the one with the pictures")
    return places[counts.index(max(counts))]
