"""What sets of bags share as batches, whether they are made or lie on disk."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import BaseData
from datamodules.mil.bags import BagDataset, BagFacts, Source, collate
from datamodules.mil.folds import Parts, patient_hash
from datamodules.mil.scaling import Scaler, fit_deviations, fit_ranks
from datamodules.order import EvalOrder, Loader, Order

__all__ = ["SPLITS", "BagData", "Scale"]

SPLITS = ("train", "val", "test")
Scale = Literal["standard", "ranks", "none"]


class BagData(BaseData):
    """What sets of bags share. A subclass gives `source`, `known` (with `label`), `parts`, `patients` and `card()`."""

    collate = staticmethod(collate)
    preload = ("datamodules.mil.bags",)
    source: Source
    known: dict[str, np.ndarray]
    parts: Parts
    patients: list[str]  # of each bag
    scale: Scale = "standard"
    clip: float | None = None  # of standardised features
    instance_dropout = 0.0
    encoder: dict[str, Any] = {}  # noqa: RUF012 - what is known of it, never written to
    _scaler: Scaler | None = None

    @property
    def scaler(self) -> Scaler | None:
        """From the training bags alone."""
        if self.scale != "none" and self._scaler is None:
            train = self.parts.train.tolist()
            self._scaler = fit_ranks(self.source, train) if self.scale == "ranks" else fit_deviations(self.source, train, self.clip)
        return self._scaler

    def setup(self, stage: str | None = None) -> None:
        for name in SPLITS:
            if getattr(self, f"{name}_set") is None:
                dropout = self.instance_dropout if name == "train" else 0.0
                setattr(self, f"{name}_set", BagDataset(self.source, getattr(self.parts, name), self.known, self.seed, dropout))

    def _loader(self, dataset: BagDataset, order: Order | EvalOrder) -> Loader:
        dataset.scaler = self.scaler  # here, not in setup: who loads no bag reads none
        return super()._loader(dataset, order)

    @property
    def width(self) -> int:
        return self.source.width

    def bags_of(self, part: str) -> Iterator[np.ndarray]:
        """The raw bags of train, val or test."""
        return (self.source.read(int(index)) for index in getattr(self.parts, part))

    def known_of(self, part: str) -> dict[str, np.ndarray]:
        """label, time, ...: aligned with `bags_of`."""
        return {name: values[getattr(self.parts, part)] for name, values in self.known.items()}

    def told_of(self, index: int) -> BagFacts:
        return BagFacts(self.source.name(index), self.patients[index], {name: values[index] for name, values in self.known.items()})

    def patients_in(self, *splits: str) -> list[str]:
        return sorted({self.patients[index] for name in splits for index in getattr(self.parts, name)})

    def patient_hashes(self) -> list[str]:
        """Of the patients whose bags are trained on: they travel in the checkpoint, names do not."""
        return sorted(patient_hash(name) for name in self.patients_in("train"))

    def examples(self, n: int) -> list[Tensor]:
        """Raw test bags, float32 (N,F)."""
        return [torch.from_numpy(x.copy()) for x in islice(self.bags_of("test"), n)]

    def counts(self) -> dict[str, dict[str, int]]:
        return {name: dict(sorted(Counter(self.classes[label] for label in self.known_of(name)["label"]).items())) for name in SPLITS}
