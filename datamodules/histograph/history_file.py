"""The states of a frozen network for every graph of a set, computed once: one file, read where it lies.

It is a .safetensors file with the tensors `history` (nodes, states, width) and `ptr` (graphs + 1), whose header says which network made it
and of which graphs. It is read by mapping, so that a cache may be larger than memory.
"""

import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.errors import DataError
from datamodules.whole import write_whole

__all__ = ["DTYPES", "HistoryFile", "StaleCacheError", "write_histories"]

FORMAT = "1"
DTYPES = {"float32": ("F32", np.float32), "float16": ("F16", np.float16)}
MOST_HEADER = 1 << 20


class StaleCacheError(DataError):
    """A cached history of another network or of other data."""


def write_histories(
    path: Path, histories: Iterable[Tensor], sizes: list[int], states: int, width: int, dtype: str, about: dict[str, str]
) -> None:
    """histories: one (n,L,C) after the other, of graphs of these sizes; they are never held together."""
    code, kind = DTYPES[dtype]
    ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    nodes = int(ptr[-1])
    body = nodes * states * width * np.dtype(kind).itemsize
    header = {
        "__metadata__": {**about, "discern.histories": FORMAT, "dtype": dtype},
        "ptr": {"dtype": "I64", "shape": [len(ptr)], "data_offsets": [0, ptr.nbytes]},
        "history": {"dtype": code, "shape": [nodes, states, width], "data_offsets": [ptr.nbytes, ptr.nbytes + body]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with write_whole(path) as file:
        file.write(struct.pack("<Q", len(text)) + text + ptr.tobytes())
        for history, size in zip(histories, sizes, strict=True):
            if tuple(history.shape) != (size, states, width):
                raise ValueError(f"a history is {(size, states, width)}, not {tuple(history.shape)}")
            with np.errstate(over="ignore"):  # said below, as an error
                array = history.detach().cpu().numpy().astype(kind)
            if not np.isfinite(array).all():
                raise DataError(f"{path}: a state is not finite as {dtype}; take float32, or look at the network's norms")
            file.write(array.tobytes())


class HistoryFile:
    """>>> cache = HistoryFile(Path("proteins.histories"))
    >>> cache.graph(0).shape
    torch.Size([42, 6, 32])
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._states: np.ndarray | None = None
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size
                (length,) = struct.unpack("<Q", file.read(8))
                if length > MOST_HEADER:
                    raise ValueError("its header is too long")
                header = json.loads(file.read(length))
                self.about: dict[str, str] = header["__metadata__"]
                if self.about.get("discern.histories") != FORMAT:
                    raise ValueError("it holds something else")
                nodes, self.states, self.width = header["history"]["shape"]
                begin, end = header["history"]["data_offsets"]
                self._begin, self._kind = 8 + length + begin, DTYPES[self.about["dtype"]][1]
                if size != 8 + length + end or end - begin != nodes * self.states * self.width * np.dtype(self._kind).itemsize:
                    raise ValueError("it is cut short")
                self.ptr = np.frombuffer(file.read(begin), np.int64)
                if self.ptr[0] != 0 or self.ptr[-1] != nodes or (np.diff(self.ptr) < 0).any():
                    raise ValueError("its graphs do not hang together")
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}; 'discern histograph cache' makes one") from None
        except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
            raise DataError(f"{path}: no file of cached histories ({error}); 'discern histograph cache' makes one") from None

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def graph(self, i: int) -> Tensor:
        """The states (n,L,C) of graph i as float32."""
        if self._states is None:
            shape = (int(self.ptr[-1]), self.states, self.width)
            self._states = np.memmap(self.path, self._kind, "r", self._begin, shape) if shape[0] else np.zeros(shape, self._kind)
        return torch.from_numpy(np.array(self._states[self.ptr[i] : self.ptr[i + 1]], np.float32))

    def check(self, what: str, found: Callable[[], str]) -> None:
        """What the header says of the network or the data must be what is there now."""
        if self.about.get(what) != found():
            raise StaleCacheError(
                f"{self.path}: its histories were made with another {what}; make them anew with 'discern histograph cache'"
            )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_states": None}  # every process maps the file itself
