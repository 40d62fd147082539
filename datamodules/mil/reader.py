"""One bag from a file, in any of the forms that encoders write: what training and `predict` read."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.checking import checked
from datamodules.mil.encoding import encoding_of
from datamodules.mil.slide_name import BAGS
from datamodules.mil.slides import native
from datamodules.mil.slides.h5 import attributes, dataset, numbers, read_h5
from datamodules.mil.tensor_file import read_tensor

__all__ = ["Header", "read_bag", "read_coords", "read_header"]

KEYS = ("features", "x")


class Header(NamedTuple):
    """What a file says of its bag without being read."""

    instances: int
    width: int
    encoder: dict[str, Any]  # what the file tells of datamodules.mil.encoding.KEYS


def read_bag(path: Any, width: int | None = None) -> np.ndarray:
    """float32 (N,F) from .h5 (features), .safetensors (ours), .pt (a tensor, or an array as some tools save it), .npz or .npy."""
    return checked(_array(Path(path)), str(path), width)


def read_header(path: Path) -> Header:
    shape, dtype, about = _look(path)
    if len(shape) == 3 and shape[0] == 1:  # some encoders write (1,N,F)
        shape = shape[1:]
    if len(shape) != 2:
        raise DataError(f"{path}: a bag is (instances, features), not {tuple(shape)}; encode it again")
    floating = dtype[0] in "FB" if isinstance(dtype, str) else dtype.kind == "f"  # safetensors says F16, F32, BF16
    if not floating:
        raise DataError(f"{path}: a bag is floating point, not {dtype}; encode it again")
    return Header(int(shape[0]), int(shape[1]), about)


def read_coords(path: Path) -> np.ndarray | None:
    """int64 (N,2), the upper left corners at level 0, where an .h5, .safetensors or .npz file has them."""
    if path.suffix == ".h5":
        with read_h5(path) as file:
            return numbers(file, "coords", path).astype(np.int64) if "coords" in file else None
    if path.suffix == ".safetensors":
        return native.read_coords(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return file["coords"].astype(np.int64) if "coords" in file.files else None
    return None


def _array(path: Path) -> np.ndarray:
    _known(path)
    if path.suffix == ".pt":
        return read_tensor(path)
    if path.suffix == ".safetensors":
        return native.read_features(path).features
    if path.suffix == ".h5":
        with read_h5(path) as file:
            return numbers(file, _key(path, list(file)), path)
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        with np.load(path, allow_pickle=False) as file:
            return file[_key(path, file.files)]
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from None


def _look(path: Path) -> tuple[tuple[int, ...], Any, dict[str, Any]]:
    """(shape, type, encoder) of the bag in a file."""
    _known(path)
    if path.suffix == ".pt":
        array = read_tensor(path, mapped=True)
        return array.shape, array.dtype, {}
    if path.suffix == ".safetensors":
        shape, dtype, about = native.look(path)
        return shape, dtype, _encoder(about)
    if path.suffix == ".h5":
        with read_h5(path) as file:
            found = dataset(file, _key(path, list(file)), path)
            about = attributes(found) | ({"coords": attributes(file["coords"])} if "coords" in file else {})
            return found.shape, found.dtype, _encoder(about)
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            return array.shape, array.dtype, {}
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            with archive.open(f"{_key(path, names)}.npy") as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = (
                    np.lib.format.read_array_header_1_0(file) if version == (1, 0) else np.lib.format.read_array_header_2_0(file)
                )
                return shape, dtype, {}
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from None


def _encoder(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in encoding_of(about).items() if value is not None}


def _known(path: Path) -> None:
    if path.suffix not in BAGS:
        raise DataError(f"{path}: a bag is a {', '.join(BAGS)} file; save it as one of them")
    if not path.is_file():
        raise DataError(f"{path}: no such file")


def _key(path: Path, names: list[str]) -> str:
    found = next((key for key in KEYS if key in names), None)
    if found is None:
        raise DataError(f"{path}: there is no {' or '.join(KEYS)} in it; give the array of features one of these names")
    return found


def _damaged(path: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError(f"{path}: damaged or cut short ({str(error).splitlines()[0] if str(error) else type(error).__name__}); write it again")
