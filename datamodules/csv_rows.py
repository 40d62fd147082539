"""A CSV as rows with their line numbers."""

import csv
from pathlib import Path

from datamodules.errors import DataError

__all__ = ["csv_rows", "header"]


def header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return [name.strip().lower() for name in next(csv.reader(lines), [])]
    except (UnicodeDecodeError, csv.Error):
        return []


def csv_rows(index: Path, columns: list[str] | None = None) -> tuple[list[tuple[int, dict[str, str]]], list[str], list[str]]:
    """((line, row) pairs, problems, columns); a row with too many or too few cells is a problem and left out.

    columns: of a file without a header
    """
    rows, problems = [], []
    try:
        with index.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            if columns is None:
                columns = [name.strip().lower() for name in next(reader, [])]
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
