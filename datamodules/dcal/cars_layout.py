"""Stanford Cars as distributed: annotations in MATLAB files, in the form with a devkit and in the older one with a `test` flag."""

from pathlib import Path
from typing import Any

import numpy as np

from datamodules.dcal.lists import Line, Row, assemble, box_of
from datamodules.dcal.table import Table
from datamodules.errors import DataError
from datamodules.matlab import load_matlab
from datamodules.store import FolderStore

__all__ = ["is_cars", "read_cars"]

OLD = "cars_annos.mat"
TRAIN, TEST, UNLABELLED = "cars_train_annos.mat", "cars_test_annos_withlabels.mat", "cars_test_annos.mat"
SIDES = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")  # counted from 1, the last pixel included


def is_cars(path: Path) -> bool:
    return (path / OLD).is_file() or _find(path, TRAIN) is not None


def read_cars(path: Path) -> Table:
    """File names repeat between cars_train and cars_test, so a picture is known by folder and name."""
    problems: list[str] = []
    notes: list[str] = []
    store = FolderStore(path)
    if (path / OLD).is_file():
        names, rows = _names(path / OLD), []
        for line, entry in _entries(path / OLD):
            split = "test" if int(_plain(entry, "test", line)) else "train"
            rows.append(_row(str(_plain(entry, "relative_im_path", line)), entry, line, split, names, problems))
        return _table(path, store, rows, problems, notes)
    train, test = _find(path, TRAIN), _find(path, TEST)
    assert train is not None
    meta = _find(path, "cars_meta.mat")
    names = _names(meta) if meta else []
    rows = [
        _row(_place(store, folder, str(_plain(entry, "fname", line))), entry, line, split, names, problems)
        for file, folder, split in ((train, "cars_train", "train"), (test, "cars_test", "test"))
        if file is not None
        for line, entry in _entries(file)
    ]
    if test is None:
        missing = f"{UNLABELLED} has no labels; " if _find(path, UNLABELLED) else ""
        notes.append(f"no {TEST}: {missing}the test pictures are left out")
    return _table(path, store, rows, problems, notes)


def _table(path: Path, store: FolderStore, rows: list[Row | None], problems: list[str], notes: list[str]) -> Table:
    seen: dict[str, str] = {}
    kept = []
    for row in rows:
        if row is None:
            continue
        if row.file in seen:
            problems.append(f"{row.where}: {row.file!r} is already in {seen[row.file]}; keep one of the two entries")
        else:
            seen[row.file] = row.where
            kept.append(row)
    return assemble("cars", str(path), store, kept, problems, notes)


def _row(file: str, entry: Any, line: str, split: str, names: list[str], problems: list[str]) -> Row | None:
    number = int(_plain(entry, "class", line))
    if number < 1 or (names and number > len(names)):
        problems.append(f"{line}: class {number} is not one of 1 to {len(names) or 'the last'}")
        return None
    sides = " ".join(str(float(_plain(entry, side, line))) for side in SIDES)
    box = box_of(Line(line, file, sides), problems, corners=True)
    return Row(file, number, names[number - 1] if names else f"class {number}", split, box, line)


def _find(path: Path, name: str) -> Path | None:
    return next((place for place in (path / "devkit" / name, path / name) if place.is_file()), None)


def _place(store: FolderStore, folder: str, name: str) -> str:
    """Some archives unpack to cars_train/cars_train."""
    twice = f"{folder}/{folder}/{name}"
    return twice if twice in store else f"{folder}/{name}"


def _entries(file: Path) -> list[tuple[str, Any]]:
    """(file:entry, record), entries counted from 1 as MATLAB does."""
    loaded = load_matlab(file).get("annotations")
    if loaded is None or loaded.dtype.names is None:
        raise DataError(f"{file}: no records called 'annotations'; fetch it again")
    return [(f"{file}:{number}", entry) for number, entry in enumerate(np.atleast_1d(loaded), 1)]


def _names(file: Path) -> list[str]:
    names = load_matlab(file).get("class_names")
    return [] if names is None else [str(name) for name in np.atleast_1d(names)]


def _plain(entry: Any, field: str, line: str) -> Any:
    if field not in entry.dtype.names:
        raise DataError(f"{line}: no field {field!r} (there are {', '.join(entry.dtype.names)}); fetch the file again")
    value = entry[field]
    return value.item() if isinstance(value, np.ndarray) else value
