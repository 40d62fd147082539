"""HDF5 files, written whole and read without trust: plain numbers and short texts only."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mil.slides.problems import SlideError, need
from datamodules.whole import put_whole

__all__ = ["attributes", "dataset", "numbers", "read_h5", "write_h5"]

MAX_BYTES = 64 << 30  # of one dataset


@contextlib.contextmanager
def write_h5(path: Path) -> Iterator[Any]:
    """An h5py.File that takes the place of `path` when the block ends well."""
    h5py = need("h5py")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with h5py.File(draft, "w") as file:
            yield file
        put_whole(draft, path)


@contextlib.contextmanager
def read_h5(path: Path) -> Iterator[Any]:
    h5py = need("h5py")
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise SlideError(f"{path}: no such file") from None
    except OSError as error:
        raise SlideError(f"{path}: no HDF5 file that can be read ({' '.join(str(error).split())[:100]}); write it again") from None
    with file:
        yield file


def numbers(file: Any, key: str, path: Path) -> np.ndarray:
    return dataset(file, key, path)[()]


def dataset(file: Any, key: str, path: Path) -> Any:
    """A dataset of numbers, not read yet; datasets of objects, references and links to other files are refused."""
    h5py: Any = need("h5py")
    link = file.get(key, getlink=True)
    if link is None:
        raise SlideError(f"{path}: has no dataset {key!r}; it has {', '.join(file) or 'none'}; rename one or write it again")
    found: Any = file[key] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu" or found.external:
        raise SlideError(f"{path}: {key!r} is no plain dataset of numbers; write it again")
    if found.nbytes > MAX_BYTES:
        raise SlideError(f"{path}: {key!r} has {found.nbytes:,} bytes, more than the limit of {MAX_BYTES:,}; take larger tiles")
    return found


def attributes(dataset: Any) -> dict[str, Any]:
    """Plain values; TRIDENT writes None as the text 'None'."""
    found: dict[str, Any] = {}
    for key, value in dataset.attrs.items():
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        found[key] = None if value == "None" else value
    return found
