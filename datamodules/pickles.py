"""The few things that Planetoid's pickles hold, read without running anything: numbers, arrays, sparse matrices, dicts of lists."""

import io
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError

__all__ = ["Csr", "UnsafePickleError", "read_pickle"]

MOST = 1 << 30


class UnsafePickleError(DataError):
    """A pickle that asks for something else than data."""


class Csr:
    """A sparse matrix by rows: in its pickle a dict of arrays."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    _shape: tuple[int, int]

    def dense(self) -> np.ndarray:
        rows, columns = self._shape
        check_csr(self.indptr, self.indices, self.data, rows, columns)
        return dense(self.indptr, self.indices, self.data, rows, columns)


def check_csr(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: int, columns: int) -> None:
    fits = indptr.shape == (rows + 1,) and indices.shape == data.shape and indptr.dtype.kind in "iu" and indices.dtype.kind in "iu"
    fits = fits and data.dtype.kind in "iufb" and len(indptr) > 0 and indptr[0] == 0 and indptr[-1] == len(indices)
    if not fits or (np.diff(indptr) < 0).any() or (len(indices) and (indices.min() < 0 or indices.max() >= columns)):
        raise DataError(f"its sparse matrix of {rows} rows and {columns} columns does not hang together")
    if rows * columns > MOST:
        raise DataError(f"{rows:,} rows of {columns:,} features are more than the limit of {MOST:,} numbers")


def dense(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, rows: int, columns: int) -> np.ndarray:
    x = np.zeros((rows, columns), np.float32)
    np.add.at(x, (np.repeat(np.arange(rows), np.diff(indptr)), indices), data)
    return x


def _empty(*_: Any) -> np.ndarray:
    """An array before its state is set; the state says its size, and whether the bytes are there."""
    return np.zeros(0, np.int8)


def _bytes(text: str = "", encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise UnsafePickleError(f"asks for bytes of {encoding!r}; refused")
    return text.encode("latin1")


# By the names that old and new versions of numpy and scipy write. "ndarray" is only ever passed on to _reconstruct.
KNOWN: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _empty for core in ("core", "_core")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _bytes,
    ("__builtin__", "bytes"): _bytes,
    ("scipy.sparse.csr", "csr_matrix"): Csr,
    ("scipy.sparse._csr", "csr_matrix"): Csr,
    ("collections", "defaultdict"): defaultdict,
    **{(module, name): kind for module in ("__builtin__", "builtins") for name, kind in (("list", list), ("int", int))},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return KNOWN[module, name]
        except KeyError:
            raise UnsafePickleError(f"asks for {module}.{name}, which is no data; refused, and nothing of it was run") from None


def read_pickle(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST:
            raise DataError(f"{path}: more than {MOST >> 30} GiB")
        return _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except DataError:
        raise
    except Exception as error:  # a broken pickle raises whatever its parts raise
        raise DataError(
            f"{path}: no readable pickle ({type(error).__name__}: {' '.join(str(error).split())[:120]}); fetch it again"
        ) from None
