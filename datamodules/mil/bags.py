"""Bags as items and as batches. Imported by workers: no Lightning here.

An item's randomness is drawn here, from (seed, turn, index): the masks that training makes of it do not depend on the number of workers.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.mil.scaling import Scaler
from datamodules.order import Turn, sample_rng
from datamodules.ragged import flatten

__all__ = ["NOISE", "ArrayBags", "BagDataset", "BagFacts", "Source", "collate"]

NOISE = 3  # uniform numbers for each instance and turn: one a random choice that training may make of it


class Source(Protocol):
    """Where bags come from."""

    width: int

    def __len__(self) -> int: ...
    def read(self, index: int) -> np.ndarray: ...  # float32 (N,F)
    def name(self, index: int) -> str: ...
    def along(self, index: int) -> dict[str, np.ndarray]: ...  # what is known of each instance: (N,) each


class ArrayBags:
    """Bags in one array: bag b owns the rows offsets[b] to offsets[b+1]."""

    def __init__(self, x: np.ndarray, offsets: np.ndarray, known: dict[str, np.ndarray] | None = None):
        """known: arrays with a value a row of x."""
        self.x, self.offsets, self.known = x, offsets, known or {}
        self.width = x.shape[1]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def read(self, index: int) -> np.ndarray:
        return self.x[self.offsets[index] : self.offsets[index + 1]]

    def name(self, index: int) -> str:
        return f"bag {index}"

    def along(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[self.offsets[index] : self.offsets[index + 1]] for name, values in self.known.items()}


class BagFacts(NamedTuple):
    """What is known of one bag besides its features."""

    name: str
    patient: str
    known: dict[str, Any]  # label, time, ...


class BagDataset(Dataset[dict[str, Any]]):
    """`indices` of a source with what is known of each bag. A training set, asked for (turn, index), carries noise; others carry what is
    known of instances.

    known: named arrays with a value a bag (label, time, ...), aligned with the source
    instance_dropout: share of instances that a training turn leaves out, never all of them
    """

    def __init__(
        self,
        source: Source,
        indices: np.ndarray,
        known: dict[str, np.ndarray],
        seed: int,
        instance_dropout: float = 0.0,
    ):
        self.source, self.indices, self.known = source, indices, known
        self.seed, self.instance_dropout = seed, instance_dropout
        self.scaler: Scaler | None = None  # set before anything is loaded

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        turn, index = key if isinstance(key, tuple) else (None, key)
        row = int(self.indices[index])
        x = self.source.read(row)
        item: dict[str, Any] = {name: values[row] for name, values in self.known.items()} | {"index": row}
        x = torch.from_numpy(x if self.scaler is None else self.scaler(x))
        if turn is None:
            along = {name: torch.from_numpy(values) for name, values in self.source.along(row).items()}
            return item | along | {"x": x}
        noise = torch.from_numpy(sample_rng(self.seed, turn, row).random((len(x), NOISE + 1), dtype=np.float32))
        if self.instance_dropout:
            kept = noise[:, NOISE] >= self.instance_dropout
            kept[int(noise[:, NOISE].argmax())] = True
            x, noise = x[kept], noise[kept]
        return item | {"x": x, "noise": noise[:, :NOISE]}


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """`bag`: the features, ragged. Tensors of items have a row an instance and stand one behind the other; numbers a bag are stacked."""
    batch: dict[str, Any] = {"bag": flatten([item["x"] for item in items])}
    for name, value in items[0].items():
        if name == "x":
            continue
        values = [item[name] for item in items]
        batch[name] = torch.cat(values) if isinstance(value, Tensor) else torch.as_tensor(np.asarray(values))
    return batch
