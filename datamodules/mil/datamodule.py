"""Bags of features as batches: the embedded hard bags, and sets that are one .npz file."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import BaseData
from datamodules.errors import DataError
from datamodules.mil import synth
from datamodules.mil.bags import ArrayBags, BagDataset, Scaler, Source, collate, fit_scaler
from datamodules.mil.checking import checked, checked_labels
from datamodules.mil.folds import Parts, patient_hash, split

__all__ = ["BagData", "HardBags", "NpzBags"]

SPLITS = ("train", "val", "test")


class BagData(BaseData):
    """What sets of bags share. A subclass gives `source`, `known` (with `label`), `parts`, `patients` and `card()`."""

    collate = staticmethod(collate)
    preload = ("datamodules.mil.bags",)
    source: Source
    known: dict[str, np.ndarray]
    along: dict[str, np.ndarray] | None = None  # for made bags
    parts: Parts
    patients: list[str]  # of each bag
    standardise = True
    instance_dropout = 0.0
    encoder: dict[str, Any] = {}  # noqa: RUF012 - what is known of it, never written to
    _scaler: Scaler | None = None

    @property
    def scaler(self) -> Scaler | None:
        """From the training bags alone."""
        if self.standardise and self._scaler is None:
            self._scaler = fit_scaler(self.source, self.parts.train.tolist())
        return self._scaler

    def setup(self, stage: str | None = None) -> None:
        for name in SPLITS:
            if getattr(self, f"{name}_set") is None:
                indices = getattr(self.parts, name)
                dropout = self.instance_dropout if name == "train" else 0.0
                setattr(self, f"{name}_set", BagDataset(self.source, indices, self.known, self.scaler, self.seed, self.along, dropout))

    def patients_in(self, *splits: str) -> list[str]:
        return sorted({self.patients[index] for name in splits for index in getattr(self.parts, name)})

    def patient_hashes(self) -> list[str]:
        """Of the patients whose bags are trained on: they travel in the checkpoint, names do not."""
        return sorted(patient_hash(name) for name in self.patients_in("train"))

    def examples(self, n: int) -> list[Tensor]:
        """Raw test bags, float32 (N,F)."""
        return [torch.from_numpy(self.source.read(int(index)).copy()) for index in self.parts.test[:n]]

    def counts(self) -> dict[str, dict[str, int]]:
        by_split = {name: Counter(self.classes[label] for label in self.known["label"][getattr(self.parts, name)]) for name in SPLITS}
        return {name: dict(sorted(counter.items())) for name, counter in by_split.items()}


class HardBags(BagData):
    """The embedded set: see datamodules.mil.synth. Half of the test split has no easy instance in its positive bags.

    train, val: bags in each split
    test: bags of each of the two kinds in the test split
    bags_seed: which bags are made; `seed` only orders them
    """

    standardise = False  # they are made that way
    along: dict[str, np.ndarray]
    source: ArrayBags

    def __init__(
        self, batch_size: int = 4, workers: int = 0, seed: int = 0, train: int = 200, val: int = 100, test: int = 200, bags_seed: int = 0
    ):
        super().__init__(batch_size, workers, seed)
        self.classes = list(synth.CLASSES)
        self.bags_seed = bags_seed
        made = [synth.hard_bags(n, 4 * bags_seed + i, hard_only=i == 3) for i, n in enumerate((train, val, test, test))]
        lengths = np.concatenate([np.diff(part.offsets) for part in made])
        self.source = ArrayBags(np.concatenate([part.x for part in made]), np.concatenate([[0], lengths.cumsum()]))
        hard = np.repeat([0, 0, 0, 1], [train, val, test, test]).astype(bool)
        self.known = {"label": np.concatenate([part.labels for part in made]), "hard": hard}
        self.along = {"kind": np.concatenate([part.kind for part in made])}
        self.patients = [f"made {i}" for i in range(len(self.source))]
        self.parts = Parts(*np.split(np.arange(len(self.source)), [train, train + val]))

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": "hard bags",
            "source": "made by datamodules.mil.synth",
            "parameters": {"bags_seed": self.bags_seed, "version": synth.VERSION},
            "counts": self.counts(),
            "protocol": "drawn apart",
            "fingerprint": hashlib.sha256(self.source.x.tobytes()).hexdigest(),
            "licence": "generated; free of rights of others",
        }


class NpzBags(BagData):
    """A set that is one .npz file: `x` (I,F), `offsets` (B+1), `y` (B,), and perhaps `fold` (R,B), the fold in which repeat r tests a bag.

    path: the file
    repeat: which of the file's repeats
    fold: which fold is tested
    folds: how many are made where the file has none
    protocol: clean, or parity (validation is the test fold, as in the published code)
    instance_dropout: share of instances left out in training
    licence: a note for the data card and for exported files
    """

    source: ArrayBags

    def __init__(
        self,
        path: str,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        repeat: int = 0,
        fold: int = 0,
        folds: int = 10,
        protocol: Literal["clean", "parity"] = "clean",
        instance_dropout: float = 0.0,
        licence: str = "not stated by the source",
    ):
        super().__init__(batch_size, workers, seed)
        self.path, self.repeat, self.fold, self.folds, self.protocol = path, repeat, fold, folds, protocol
        self.instance_dropout, self.licence = instance_dropout, licence
        self._read = False
        if not 0 <= instance_dropout < 1:
            raise DataError(f"instance_dropout is a share in [0, 1), not {instance_dropout}")

    def setup(self, stage: str | None = None) -> None:
        if not self._read:
            self._load()
            self._read = True
        super().setup(stage)

    def _load(self) -> None:
        x, offsets, y, outer = _arrays(Path(self.path))
        self.classes = [str(i) for i in range(max(2, int(y.max()) + 1))]
        source = ArrayBags(x, offsets)
        for index in range(len(source)):
            checked(source.read(index), f"{self.path}: bag {index}")
        self.source, self.patients = source, [f"bag {i}" for i in range(len(source))]
        self.known = {"label": checked_labels(y, len(self.classes), self.path)}
        if outer is not None:
            if not 0 <= self.repeat < len(outer):
                raise DataError(f"{self.path}: repeat is from 0 to {len(outer) - 1}, not {self.repeat}")
            outer = outer[self.repeat]
        seed = 0 if outer is not None else self.repeat  # the split does not depend on the seed of training
        self.parts = split(y.tolist(), self.patients, self.protocol, self.fold, self.folds, seed, outer)
        if self.protocol == "parity":
            self.say("protocol parity: the epoch and the threshold are chosen on the test fold, so every figure is optimistic")

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": Path(self.path).stem,
            "source": self.path,
            "counts": self.counts(),
            "protocol": self.protocol,
            "fold": [self.repeat, self.fold],
            "fingerprint": hashlib.sha256(self.source.x.tobytes()).hexdigest(),
            "licence": self.licence,
        }


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := {"x", "offsets", "y"} - set(file.files):
                raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; a set of bags is x (I,F), offsets (B+1,), y (B,)")
            x, offsets, y = file["x"], file["offsets"], file["y"]
            outer = file["fold"] if "fold" in file.files else None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable .npz file of plain arrays") from None
    if x.ndim != 2 or offsets.ndim != 1 or offsets[0] != 0 or offsets[-1] != len(x) or (np.diff(offsets) < 0).any():
        raise DataError(f"{path}: offsets begin at 0, never decrease and end at the number of rows of x, {len(x)}")
    if len(y) != len(offsets) - 1 or (outer is not None and outer.shape[-1] != len(y)):
        raise DataError(f"{path}: {len(offsets) - 1} bags, {len(y)} labels; they must agree, and so must the folds")
    return x.astype(np.float32), offsets.astype(np.int64), y, outer
