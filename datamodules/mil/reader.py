"""One bag from a file, in any of the forms that encoders write: what `predict` reads."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.checking import checked

__all__ = ["SUFFIXES", "read_bag", "read_coords"]

SUFFIXES = (".npy", ".npz", ".pt", ".h5")
KEYS = ("features", "x")


def read_bag(path: Any) -> np.ndarray:
    """float32 (N,F) from .npy, .npz (features or x), .pt (a tensor, or an array as some tools save it) or .h5 (features)."""
    return checked(_read(Path(path)), str(path))


def read_coords(path: Path) -> np.ndarray | None:
    """int64 (N,2), the upper left corners at level 0, where an .h5 or .npz file has them."""
    if path.suffix == ".h5":
        with _h5py().File(path, "r") as file:
            return file["coords"][:].astype(np.int64) if "coords" in file else None
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return file["coords"].astype(np.int64) if "coords" in file.files else None
    return None


def _read(path: Path) -> np.ndarray:
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: a bag is a {', '.join(SUFFIXES)} file")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return _pick(path, {name: file[name] for name in file.files if name in KEYS})
        if path.suffix == ".pt":
            return _torch(path)
        with _h5py().File(path, "r") as file:
            return _pick(path, {name: file[name][:] for name in KEYS if name in file})
    except (ValueError, EOFError, OSError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: damaged or cut short ({str(error).splitlines()[0] if str(error) else type(error).__name__})") from None


def _pick(path: Path, found: dict[str, np.ndarray]) -> np.ndarray:
    if not found:
        raise DataError(f"{path}: there is no {' or '.join(KEYS)} in it")
    return next(iter(found.values()))


def _torch(path: Path) -> np.ndarray:
    import torch

    # An array that torch saved needs these few to be put together again; none of them can run code.
    core: Any = np._core  # pyright: ignore[reportAttributeAccessIssue]
    harmless: list[Any] = [
        core.multiarray._reconstruct, np.ndarray, np.dtype, *{type(np.dtype(kind)) for kind in ("f2", "f4", "f8")},
    ]  # fmt: skip
    try:
        with torch.serialization.safe_globals(harmless):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(f"{path}: refused, because it carries objects that could run code when loaded; save a plain tensor") from error
    except RuntimeError as error:
        raise DataError(f"{path}: not a file that torch can read") from error
    if isinstance(found, torch.Tensor):
        return found.float().numpy() if found.dtype == torch.bfloat16 else found.numpy()
    if not isinstance(found, np.ndarray):
        raise DataError(f"{path}: holds a {type(found).__name__}, not a tensor or an array")
    return found


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError("reading .h5 needs h5py: pip install 'discern[slides]'") from None
    return h5py
