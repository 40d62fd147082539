"""Sightings on disk, and made ones, as tensors. Imported by workers: no Lightning here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.dcal.reid_table import Sighting
from datamodules.dcal.synth_identities import IdentitySet
from datamodules.order import Turn, sample_rng
from datamodules.pictures import decode
from datamodules.preprocess import Preprocess
from datamodules.store import Store

__all__ = ["IdentityBeetleDataset", "SightingDataset"]


class SightingDataset(Dataset[dict[str, Any]]):
    """Rows of a table. With `augment` a training set, asked for (turn, index); else with `is_query` in every sample.

    numbers: (identity, camera) of every record; camera -1 is not known
    """

    def __init__(
        self,
        store: Store,
        records: list[Sighting],
        rows: list[int],
        numbers: Sequence[tuple[int, int]],
        queries: set[str],
        preprocess: Preprocess,
        seed: int,
        augment: Any,
    ):
        self.store, self.records, self.rows, self.numbers = store, records, rows, numbers
        self.is_query = [record.file in queries for record in records]
        self.preprocess, self.seed, self.augment = preprocess, seed, augment

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        turn, index = key if isinstance(key, tuple) else (0, key)
        file = self.records[index].file
        picture = decode(self.store.read(file), self.store.where(file))
        identity, camera = self.numbers[index]
        sample = {"identity": identity, "camera": camera, "index": self.rows[index]}
        if self.augment is None:
            return {"image": self.preprocess(torch.from_numpy(picture)), **sample, "is_query": self.is_query[index]}
        picture = self.augment(picture, sample_rng(self.seed, turn, index))
        return {"image": self.preprocess.normalise(torch.from_numpy(picture).permute(2, 0, 1).float()), **sample}


class IdentityBeetleDataset(Dataset[dict[str, Any]]):
    """Made pictures; `cells` are those of the two marks. Without `is_query` a training set."""

    def __init__(self, made: IdentitySet, identities: np.ndarray, preprocess: Preprocess, first: int, is_query: np.ndarray | None):
        self.made, self.identities, self.preprocess, self.first, self.is_query = made, identities, preprocess, first, is_query

    def __len__(self) -> int:
        return len(self.identities)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        index = key[1] if isinstance(key, tuple) else key
        sample = {
            "image": self.preprocess(torch.from_numpy(self.made.images[index])),
            "identity": int(self.identities[index]),
            "camera": int(self.made.cameras[index]),
            "index": self.first + index,
            "cells": torch.from_numpy(self.made.cells[index]),
        }
        return sample if self.is_query is None else {**sample, "is_query": bool(self.is_query[index])}
