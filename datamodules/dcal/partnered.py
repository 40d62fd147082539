"""A second picture with every training sample, for a pair branch that does not take it from the batch. For workers: no Lightning."""

import os
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from datamodules.dcal.table import Record
from datamodules.errors import DataError
from datamodules.order import Turn, sample_rng
from datamodules.store import FolderStore

__all__ = ["Partnered", "strangers"]

STREAM = 2**40  # added to the seed: which partner is drawn does not hang on how the sample itself is augmented


class Partnered(Dataset[dict[str, Any]]):
    """Each sample of a training set, and under `other` the picture of one that is drawn anew every turn, never the sample itself.

    others: where partners come from, asked for (turn, index) like any training set; None: from the samples.
    """

    def __init__(self, samples: Any, seed: int, others: Any = None):
        self.samples, self.seed, self.others = samples, seed, others
        if others is None and len(samples) < 2:
            raise DataError("partners=train needs two training pictures or more; add some, or take a folder of others")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Turn) -> dict[str, Any]:
        turn, index = key
        rng = sample_rng(self.seed + STREAM, turn, index)
        if self.others is None:
            place = int(rng.integers(len(self.samples) - 1))
            other = self.samples[turn, place + (place >= index)]
        else:
            other = self.others[turn, int(rng.integers(len(self.others)))]
        return {**self.samples[turn, index], "other": other["image"]}


def strangers(folder: str) -> tuple[FolderStore, list[Record]]:
    """Every file under a folder, as pictures of no class."""
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"partners={folder}: no such folder; name one with pictures, or train")
    names = [(Path(place) / name).relative_to(root).as_posix() for place, _, files in os.walk(root) for name in files if name[0] != "."]
    if not names:
        raise DataError(f"partners={folder}: no picture in it; name a folder with pictures, or train")
    return FolderStore(root), [Record(name, 0, "", "train") for name in sorted(names)]
