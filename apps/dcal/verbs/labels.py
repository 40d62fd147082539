"""Who is on a picture, and which camera saw it: from a CSV that the user gives, `file[,camera][,label]`."""

from pathlib import Path
from typing import NamedTuple

from apps.base.errors import UserError
from datamodules.csv_rows import csv_rows
from datamodules.dcal.reid_csv_layout import IDENTITY

__all__ = ["Known", "Labels"]

SHOWN = 5  # problems; of more their number is told


class Known(NamedTuple):
    camera: str | None = None
    label: str | None = None


class Labels:
    """Rows by picture. A CSV's names are looked for beside it, in the folders that were asked for, and from the current folder."""

    def __init__(self, index: str | None, folders: list[str], camera: str | None = None) -> None:
        self.camera = camera  # of every picture that no row names one for
        self.problems: list[str] = []
        self._rows: dict[Path, Known] = {}
        self._named: set[Path] = set()
        if index is not None:
            self._read(Path(index), [Path(folder) for folder in folders if Path(folder).is_dir()])

    def of(self, path: str) -> Known:
        place = Path(path).resolve()
        self._named.add(place)
        known = self._rows.get(place, Known())
        return known if known.camera is not None else known._replace(camera=self.camera)

    @property
    def without_row(self) -> int:
        """Pictures asked for that the CSV does not name."""
        return len(self._named - self._rows.keys()) if self._rows else 0

    def told(self) -> list[str]:
        """The first problems, and how many there are besides."""
        more = len(self.problems) - SHOWN
        return [*self.problems[:SHOWN], *([f"and {more} more like these"] if more > 0 else [])]

    def _read(self, index: Path, folders: list[Path]) -> None:
        if not index.is_file():
            raise UserError(f"--labels {index}: no such file")
        rows, self.problems, columns = csv_rows(index)
        label = next((name for name in IDENTITY if name in columns), None)
        if "file" not in columns or (label is None and "camera" not in columns):
            raise UserError(f"{index}:1: the columns are {', '.join(columns)}; needed are file, and camera or label or both")
        for line, row in rows:
            places = [base / row["file"] for base in (index.parent, *folders, Path())]
            found = {place.resolve() for place in places if place.is_file()}
            known = Known(row.get("camera") or None, row[label] or None if label else None)
            if not found:
                self.problems.append(f"{index}:{line}: no picture {row['file']!r}")
            for place in found:
                if self._rows.setdefault(place, known) != known:
                    self.problems.append(f"{index}:{line}: {row['file']} is named twice with different words; keep one")
