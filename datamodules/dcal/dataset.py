"""Rows of a table, and made beetles, as tensors. Imported by workers: no Lightning here."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.dcal.synth import BeetleSet
from datamodules.dcal.table import Record, cut, without_banner
from datamodules.order import Turn, sample_rng
from datamodules.pictures import decode
from datamodules.preprocess import Preprocess
from datamodules.store import Store

__all__ = ["BeetleDataset", "PictureDataset", "load_picture"]


class BeetleDataset(Dataset[dict[str, Any]]):
    def __init__(self, made: BeetleSet, preprocess: Preprocess, first: int):
        self.images, self.labels, self.cells = made
        self.preprocess, self.first = preprocess, first

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        index = key[1] if isinstance(key, tuple) else key
        image = self.preprocess(torch.from_numpy(self.images[index]))
        return {"image": image, "label": int(self.labels[index]), "index": self.first + index, "cell": int(self.cells[index])}


class PictureDataset(Dataset[dict[str, Any]]):
    """Rows of a table as tensors; with `augment` a training set, asked for (turn, index)."""

    def __init__(
        self, store: Store, records: list[Record], rows: list[int], preprocess: Preprocess, box_crop: bool, seed: int, augment: Any
    ):
        self.store, self.records, self.rows = store, records, rows
        self.preprocess, self.box_crop, self.seed, self.augment = preprocess, box_crop, seed, augment

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        turn, index = key if isinstance(key, tuple) else (0, key)
        picture = load_picture(self.store, self.records[index], self.box_crop)
        if self.augment is None:
            image = self.preprocess(torch.from_numpy(picture))
        else:
            picture = self.augment(picture, sample_rng(self.seed, turn, index))
            image = self.preprocess.normalise(torch.from_numpy(picture).permute(2, 0, 1).float())
        return {"image": image, "label": self.records[index].label, "index": self.rows[index]}


def load_picture(store: Store, record: Record, box_crop: bool) -> np.ndarray:
    name = store.where(record.file)
    picture = without_banner(decode(store.read(record.file), name), record.banner, name)
    return np.ascontiguousarray(cut(picture, record.box) if box_crop and record.box is not None else picture)
