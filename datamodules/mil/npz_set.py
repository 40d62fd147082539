"""A set of bags that is one .npz file: `x` (I,F), `offsets` (B+1,), `y` (B,), and perhaps `fold` (R,B): repeat r tests a bag there."""

import hashlib
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.bags import ArrayBags
from datamodules.mil.checking import checked, checked_labels
from datamodules.mil.table import BagTable

__all__ = ["LOOKS_FOR", "is_npz_set", "read_arrays", "read_npz_set"]

PARTS = {"x", "offsets", "y"}
LOOKS_FOR = "a .npz file with x (I,F), offsets (B+1,), y (B,) and perhaps fold (R,B)"


def is_npz_set(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return {f"{name}.npy" for name in PARTS} <= set(file.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_npz_set(path: Path) -> BagTable:
    arrays = read_arrays(path, ("y",))
    y = arrays.known["y"]
    count = max(2, int(y.max()) + 1) if y.dtype.kind in "iu" else 2
    return arrays.table(path, [str(i) for i in range(count)], checked_labels(y, count, str(path)))


class Arrays(NamedTuple):
    x: np.ndarray  # float32 (I,F)
    offsets: np.ndarray  # int64 (B+1,)
    known: dict[str, np.ndarray]  # (B,) each
    outer: np.ndarray | None  # (R,B)

    def table(self, path: Path, classes: list[str], labels: np.ndarray, **known: np.ndarray) -> BagTable:
        content = hashlib.sha256(self.x.tobytes()).hexdigest()
        bags = ArrayBags(self.x, self.offsets)
        for index in range(len(bags)):
            checked(bags.read(index), f"{path}: bag {index}")
        # A bag is a patient of its own. Bags of two files are not the same because they have the same number.
        patients = [f"bag {index} of {content[:8]}" for index in range(len(bags))]
        return BagTable("npz", path, bags, classes, labels, patients, self.outer, known=known, files=[path])


def read_arrays(path: Path, names: tuple[str, ...]) -> Arrays:
    """The arrays of a set, those of `names` with one value a bag."""
    if path.is_dir():
        raise DataError(f"{path}: a folder; one file a slide is read with --config features, a set is {LOOKS_FOR}")
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := {"x", "offsets", *names} - set(file.files):
                each = ", ".join(f"{name} (B,)" for name in names)
                raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; a set of bags is x (I,F), offsets (B+1,), {each}")
            x, offsets, known = file["x"], file["offsets"], {name: file[name] for name in names}
            outer = np.atleast_2d(file["fold"]) if "fold" in file.files else None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: no .npz file of plain arrays that can be read; write it again with numpy.savez") from None
    if x.ndim != 2 or offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(x) or (np.diff(offsets) < 0).any():
        raise DataError(f"{path}: offsets begin at 0, never decrease and end at {len(x)}, the number of rows of x; compute them again")
    bags = len(offsets) - 1
    for name, values in known.items():
        if values.shape != (bags,) or (outer is not None and outer.shape[-1] != bags):
            raise DataError(f"{path}: {bags} bags, {len(values)} labels ({name}); they must agree, and so must the folds")
    return Arrays(x.astype(np.float32), offsets.astype(np.int64), known, outer)
