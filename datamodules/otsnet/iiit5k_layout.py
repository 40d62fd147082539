"""IIIT 5K-word as distributed: pictures in train/ and test/, the words and the boxes of their letters in MATLAB files."""

from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.matlab import load_matlab
from datamodules.otsnet.table import Boxes, Collector, Table
from datamodules.store import FolderStore

__all__ = ["is_iiit5k", "read_iiit5k"]


def is_iiit5k(path: Path) -> bool:
    return _root(path) is not None


def read_iiit5k(path: Path) -> Table:
    """`GroundTruth` is upper case and alphanumeric: 36 characters are all that these labels know."""
    root = _root(path)
    assert root is not None
    collected = Collector("iiit5k", path, FolderStore(root))
    collected.note("labels in capitals without punctuation: train and compare with 36 characters")
    for split in ("train", "test"):
        file = root / f"{split}data.mat"
        if not file.is_file():
            collected.note(f"no {file.name}: its words are left out")
            continue
        boxes = _boxes(root / f"{split}CharBound.mat", split)
        for number, entry in _entries(file, f"{split}data"):
            name = str(_plain(entry, "ImgName", f"{file}:{number}"))
            label = str(_plain(entry, "GroundTruth", f"{file}:{number}"))
            collected.add(name, label, split, "iiit5k", f"{file}:{number}", boxes=boxes.get(name))
    return collected.table


def _boxes(file: Path, split: str) -> dict[str, Boxes]:
    """x, y, width, height of every letter, as x0, y0, x1, y1; by picture."""
    if not file.is_file():
        return {}
    found = {}
    for number, entry in _entries(file, f"{split}CharBound"):
        table = np.atleast_2d(np.asarray(_plain(entry, "charBB", f"{file}:{number}"), np.float64))
        if table.ndim == 2 and table.shape[1] == 4 and np.isfinite(table).all():
            found[str(_plain(entry, "ImgName", f"{file}:{number}"))] = tuple((x, y, x + w, y + h) for x, y, w, h in table.tolist())
    return found


def _entries(file: Path, name: str) -> list[tuple[int, Any]]:
    """Counted from 1, as MATLAB does."""
    loaded = load_matlab(file).get(name)
    if loaded is None or loaded.dtype.names is None:
        raise DataError(f"{file}: no records called {name!r}; fetch it again")
    return list(enumerate(np.atleast_1d(loaded), 1))


def _plain(entry: Any, name: str, where: str) -> Any:
    if name not in entry.dtype.names:
        raise DataError(f"{where}: no field {name!r} (there are {', '.join(entry.dtype.names)}); fetch the file again")
    value = entry[name]
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


def _root(path: Path) -> Path | None:
    lists = ("traindata.mat", "testdata.mat")
    return next((place for place in (path, path / "IIIT5K") if any((place / name).is_file() for name in lists)), None)
