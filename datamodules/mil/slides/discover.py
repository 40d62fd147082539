"""Which slides there are, and what their headers say: one row a slide, written as slides.csv."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from datamodules.errors import DataError
from datamodules.mil.folds import patient_in, patient_pattern
from datamodules.mil.slide_name import SLIDES, slide_name
from datamodules.mil.slides.mpp import find_mpp
from datamodules.mil.slides.problems import NoResolutionError, SlideError
from datamodules.mil.slides.slide import open_slide
from datamodules.whole import write_whole

__all__ = ["SlideRow", "find_slides", "read_rows", "slide_files", "write_rows"]

TWICE = "second slide of this name"


@dataclass
class SlideRow:
    slide_id: str
    path: str
    patient_id: str = ""
    label: str = ""
    mpp_x: float | None = None
    mpp_y: float | None = None
    mpp_source: str = ""
    objective: str = ""
    width: int | None = None
    height: int | None = None
    levels: int | None = None
    vendor: str = ""
    bytes: int | None = None
    error: str = ""

    @property
    def repeated(self) -> bool:
        """Another slide of this name came before."""
        return self.error.startswith(TWICE)


def slide_files(places: Iterable[str | Path]) -> list[Path]:
    """Files named, and those of known kinds below folders, in order of their names. Of a folder of DICOM files one stands for all."""
    files: list[Path] = []
    for place in map(Path, places):
        if place.is_file():
            files.append(place)
        elif place.is_dir():
            for folder, below, names in os.walk(place):
                mirax = {name.rpartition(".")[0] for name in names if name.lower().endswith(".mrxs")}
                below[:] = sorted(name for name in below if not name.startswith(".") and name not in mirax)  # a MIRAX' side folder
                dicom = False
                for name in sorted(names):
                    suffix = Path(name).suffix.lower()
                    if suffix not in SLIDES or name.startswith(".") or (suffix == ".dcm" and dicom):
                        continue
                    dicom |= suffix == ".dcm"
                    files.append(Path(folder) / name)
        else:
            raise DataError(f"{place}: no such file or folder")
    if not files:
        raise DataError(f"no slides in {', '.join(map(str, places))}; name a folder with files of {' '.join(SLIDES)}")
    return files


def find_slides(
    files: Sequence[Path],
    mpp_table: Mapping[str, tuple[float, float]] | None = None,
    patient: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> list[SlideRow]:
    """`patient`: see datamodules.mil.folds.patient_pattern; slides that it does not match have none."""
    pattern = patient_pattern(patient)
    rows: list[SlideRow] = []
    first: dict[str, Path] = {}
    for path in files:
        name = slide_name(path)
        row = SlideRow(name, str(path.absolute()), label=(labels or {}).get(name, ""))
        row.patient_id = patient_in(pattern, name) or ""
        rows.append(row)
        if name in first:
            row.error = f"{TWICE}: {first[name]} has it already; rename one"
            continue
        first[name] = path
        _look(row, path, mpp_table)
    if patient is not None and not any(row.patient_id for row in rows):
        raise DataError(
            f"--patient {patient}: matches none of {len(rows)} slides, the first is {rows[0].slide_id}; match the beginning of a name"
        )
    if labels is not None and not any(row.label for row in rows):
        raise DataError(f"the labels name none of {len(rows)} slides, the first is {rows[0].slide_id}; name slides as their files are")
    return rows


def write_rows(path: Path, rows: Sequence[SlideRow]) -> None:
    with write_whole(path, "w") as file:
        table = csv.DictWriter(file, [field.name for field in fields(SlideRow)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[SlideRow]:
    """slides.csv as written above; columns that a person has added are passed over."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.DictReader(file))
        return [_row(row) for row in table]
    except FileNotFoundError:
        raise DataError(f"{path}: not there; run `discern mil slides find` first or name the slides") from None
    except (KeyError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: no table of slides ({error}); run `discern mil slides find` again") from None


def _row(values: Mapping[str, str]) -> SlideRow:
    whole, decimal = ("width", "height", "levels", "bytes"), ("mpp_x", "mpp_y")
    read = {"slide_id": values["slide_id"], "path": values["path"]}
    for field in fields(SlideRow):
        text = values.get(field.name) or ""
        if field.name in (*whole, *decimal):
            read[field.name] = (int if field.name in whole else float)(text) if text else None  # type: ignore[assignment]
        else:
            read[field.name] = text
    return SlideRow(**read)  # type: ignore[arg-type]


def _look(row: SlideRow, path: Path, mpp_table: Mapping[str, tuple[float, float]] | None) -> None:
    try:
        row.bytes = path.stat().st_size
        with open_slide(path) as slide:
            (row.width, row.height), row.levels, row.vendor = slide.size, len(slide.levels), slide.vendor
            row.objective = slide.properties.get("openslide.objective-power", "")
            try:
                mpp = find_mpp(slide, mpp_table)
                row.mpp_x, row.mpp_y, row.mpp_source = mpp.x, mpp.y, mpp.source + (" (approximate)" if mpp.approximate else "")
            except NoResolutionError as error:
                row.error = f"NoResolution: {error}"
    except (SlideError, OSError) as error:
        row.error = f"SlideUnreadable: {error}"
