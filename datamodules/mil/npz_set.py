"""A set of bags that is one .npz file: `x` (I,F), `offsets` (B+1,), `y` (B,), and perhaps `fold` (R,B): repeat r tests a bag there."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.bags import ArrayBags
from datamodules.mil.checking import checked, checked_labels
from datamodules.mil.table import BagTable

__all__ = ["LOOKS_FOR", "is_npz_set", "read_npz_set"]

PARTS = {"x", "offsets", "y"}
LOOKS_FOR = "a .npz file with x (I,F), offsets (B+1,), y (B,) and perhaps fold (R,B)"


def is_npz_set(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return {f"{name}.npy" for name in PARTS} <= set(file.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_npz_set(path: Path) -> BagTable:
    x, offsets, y, outer = _arrays(path)
    classes = [str(i) for i in range(max(2, int(y.max()) + 1))]
    content = hashlib.sha256(x.tobytes()).hexdigest()
    bags = ArrayBags(x, offsets)
    for index in range(len(bags)):
        checked(bags.read(index), f"{path}: bag {index}")
    # A bag is a patient of its own. Bags of two files are not the same because they have the same number.
    patients = [f"bag {index} of {content[:8]}" for index in range(len(bags))]
    return BagTable("npz", path, bags, classes, checked_labels(y, len(classes), str(path)), patients, outer, files=[path])


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    if path.is_dir():
        raise DataError(f"{path}: a folder; one file a slide is read with --config features, a set is {LOOKS_FOR}")
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := PARTS - set(file.files):
                raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; a set of bags is x (I,F), offsets (B+1,), y (B,)")
            x, offsets, y = file["x"], file["offsets"], file["y"]
            outer = np.atleast_2d(file["fold"]) if "fold" in file.files else None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable .npz file of plain arrays") from None
    if x.ndim != 2 or offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(x) or (np.diff(offsets) < 0).any():
        raise DataError(f"{path}: offsets begin at 0, never decrease and end at the number of rows of x, {len(x)}")
    if y.shape != (len(offsets) - 1,) or (outer is not None and outer.shape[-1] != len(y)):
        raise DataError(f"{path}: {len(offsets) - 1} bags, {len(y)} labels; they must agree, and so must the folds")
    return x.astype(np.float32), offsets.astype(np.int64), y, outer
