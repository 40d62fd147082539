"""One array out of a file that torch saved. Nothing in the file is run."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError

__all__ = ["read_tensor"]


def read_tensor(path: Path, mapped: bool = False) -> np.ndarray:
    """A tensor (CLAM) or an array (TRIDENT). mapped: a tensor's numbers are read when they are looked at."""
    import torch

    # an array is rebuilt by these and no others: numpy's own types, which hold numbers only
    make: Any = np.empty(0).__reduce__()[0]
    harmless: list[Any] = [
        np.ndarray, np.dtype, make, (make, "numpy.core.multiarray._reconstruct"), *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8")),
    ]  # fmt: skip
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals(harmless), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # numpy's arrays come in a later one, which is read as well
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and _zipped(path))
    except pickle.UnpicklingError:
        raise DataError(f"{path}: refused, because it carries objects that could run code when loaded; save a plain tensor") from None
    except Exception as error:  # torch's unpickler raises many kinds
        raise DataError(f"{path}: damaged or no file of torch ({' '.join(str(error).split())[:80]}); write it again") from None
    if isinstance(found, torch.Tensor):
        return found.float().numpy() if found.dtype == torch.bfloat16 else found.numpy()
    if not isinstance(found, np.ndarray):
        raise DataError(f"{path}: holds a {type(found).__name__}, not a tensor or an array; save the features alone with torch.save")
    return found


def _zipped(path: Path) -> bool:
    """Whether it is written as torch does today; older files cannot be mapped."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"
