"""Classified pictures as batches: the embedded beetles, and pictures on disk in any known layout."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import BaseData
from datamodules.cache import cached
from datamodules.checks import lonely, shorten
from datamodules.dcal import synth
from datamodules.dcal.dataset import BeetleDataset, PictureDataset, load_picture
from datamodules.dcal.layouts import read
from datamodules.dcal.look import broken
from datamodules.dcal.partnered import Partnered, strangers
from datamodules.dcal.table import Table
from datamodules.errors import DataError
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from datamodules.store import fingerprint

__all__ = ["Beetles", "Pictures"]


class Beetles(BaseData):
    """The embedded set (papers' word: easy = the defaults; gap = train 256, decoys 5, noise 0.12). A batch also carries `cell`.

    train, val, test: pictures in each split
    decoys: marks without meaning beside the class mark
    noise: standard deviation of the pixel noise, on a 0..1 scale
    cue: probability that a TRAINING picture's background hue tells its class
    pictures_seed: which pictures are made; `seed` only orders them
    cache: folder in which made pictures are kept; None makes them anew, about 1 ms each
    partners: a second picture with every training sample: none, or train (any other of the split)
    """

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        train: int = 512,
        val: int = 256,
        test: int = 1024,
        decoys: int = 2,
        noise: float = 0.06,
        cue: float = 0.0,
        pictures_seed: int = 0,
        cache: str | None = None,
        partners: str = "none",
    ):
        super().__init__(batch_size, workers, seed)
        if partners not in ("none", "train"):
            raise DataError(f"partners={partners}: made pictures have partners from train, or none")
        self.partners = partners
        self.sizes = {"train": train, "val": val, "test": test}
        self.parameters: dict[str, Any] = {"decoys": decoys, "noise": noise}
        self.cue, self.pictures_seed, self.cache = cue, pictures_seed, cache
        self.classes = list(synth.CLASSES)
        self._made: dict[str, synth.BeetleSet] = {}
        self.preprocess = Preprocess(synth.SIDE, fit="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is None:
            first = 0
            for split, size in self.sizes.items():
                setattr(self, f"{split}_set", BeetleDataset(self.made(split), self.preprocess, first))
                first += size
            if self.partners == "train":
                self.train_set = Partnered(self.train_set, self.seed)

    def made(self, split: str) -> synth.BeetleSet:
        """One split's pictures; every split has a seed of its own."""
        if split in self._made:
            return self._made[split]
        parameters = self.parameters | {
            "n": self.sizes[split],
            "seed": 3 * self.pictures_seed + list(self.sizes).index(split),
            "cue": self.cue if split == "train" else 0.0,
        }
        version = {"version": synth.VERSION}
        made = cached(self.cache, "beetles", parameters | version, lambda: synth.beetles(**parameters)._asdict())
        return self._made.setdefault(split, synth.BeetleSet(**made))

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3)."""
        return [torch.from_numpy(image.copy()) for image in self.made("test").images[:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        counts = {split: Counter(self.classes[label] for label in self.made(split).labels) for split in self.sizes}
        return {
            "name": "beetles",
            "source": "made by datamodules.dcal.synth",
            "parameters": self.parameters | {"cue": self.cue, "pictures_seed": self.pictures_seed, "version": synth.VERSION},
            "counts": {split: dict(sorted(by_class.items())) for split, by_class in counts.items()},
            "fingerprint": synth.hash_arrays([array for split in self.sizes for array in self.made(split)]),
            "licence": "generated; free of rights of others",
        }


class Pictures(BaseData):
    """Pictures on disk: see datamodules.dcal.layouts for what can be read.

    path: folder or CSV
    layout: "auto", or one of layouts.KNOWN by name
    image_size: of the model's input, one number or [height, width]
    fit, share: how evaluation gets there, see Preprocess
    crop_scale, flip, jitter, erase: training augmentation, see Augment
    box_crop: use only the part of the picture in its box, where there is one
    balanced: draw every class equally often, with replacement
    partners: a second picture with every training sample: none, train (any other of the split), or a folder of other pictures
    skip_broken: leave out what is broken, with a count, instead of refusing the whole set
    licence: a note for the data card and for exported files
    """

    preload = ("datamodules.dcal.dataset", "datamodules.transforms")

    def __init__(
        self,
        path: str,
        batch_size: int = 32,
        workers: int = 0,
        seed: int = 0,
        layout: str = "auto",
        image_size: int | tuple[int, int] = 96,
        fit: str = "crop",
        share: float = 1.0,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        crop_scale: tuple[float, float] = (0.5, 1.0),
        flip: bool = True,
        jitter: float = 0.2,
        erase: float = 0.0,
        box_crop: bool = False,
        balanced: bool = False,
        partners: str = "none",
        skip_broken: bool = False,
        licence: str = "not stated by the source",
    ):
        super().__init__(batch_size, workers, seed)
        self.path, self.layout, self.box_crop, self.balanced = path, layout, box_crop, balanced
        self.partners, self.skip_broken, self.licence = partners, skip_broken, licence
        self.augmentation = {"crop_scale": tuple(crop_scale), "flip": flip, "jitter": jitter, "erase": erase}
        self.preprocess = Preprocess(image_size, fit, share, mean, std)
        self.skipped: list[str] = []
        self._table: Table | None = None

    @property
    def table(self) -> Table:
        """Every usable picture. Reading it refuses, or with `skip_broken` leaves out, what is broken."""
        if self._table is None:
            self._table = self._usable(read(self.path, self.layout))
        return self._table

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.table.classes

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            self.val_set, self.test_set = self._dataset("val"), self._dataset("test")
        if self.train_set is None and stage in (None, "fit"):
            from datamodules.transforms import Augment  # brings albumentations, 2 s; only training needs it

            augment = Augment((self.preprocess.height, self.preprocess.width), **self.augmentation)
            self.train_set = self._dataset("train", augment)
            if self.partners != "none":
                self.train_set = Partnered(self.train_set, self.seed, self._others(augment))

    def _others(self, augment: Any) -> PictureDataset | None:
        if self.partners == "train":
            return None
        store, records = strangers(self.partners)
        return PictureDataset(store, records, list(range(len(records))), self.preprocess, False, self.seed, augment)

    def _dataset(self, split: str, augment: Any = None) -> PictureDataset:
        rows = self.table.split(split)
        records = [self.table.records[row] for row in rows]
        return PictureDataset(self.table.store, records, rows, self.preprocess, self.box_crop, self.seed, augment)

    def train_weights(self) -> np.ndarray | None:
        if not self.balanced:
            return None
        labels = np.array([self.table.records[row].label for row in self.table.split("train")])
        return 1 / np.bincount(labels)[labels]

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3), spread over the split."""
        rows = self.table.split("test") or self.table.split("val")
        records = [self.table.records[row] for row in rows[:: max(1, len(rows) // max(1, n))][:n]]
        return [torch.from_numpy(load_picture(self.table.store, record, self.box_crop).copy()) for record in records]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        table = self.table
        return {
            "name": Path(self.path).resolve().name,
            "source": str(self.path),
            "layout": table.layout,
            "counts": {split: dict(sorted(by_class.items())) for split, by_class in table.counts().items()},
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
            "licence": self.licence,
        }

    def _usable(self, table: Table) -> Table:
        bad = broken(table.store, table.records)
        self.skipped = table.problems + list(bad.values())
        if self.skipped and not self.skip_broken:
            more = f" (and {len(self.skipped) - 1} more; 'discern data check {self.path}' lists all)" if len(self.skipped) > 1 else ""
            raise DataError(f"{self.skipped[0]}{more}, or set skip_broken to leave such pictures out")
        records = [record for record in table.records if record.file not in bad]
        notes = list(table.notes)
        if self.skipped:
            notes.append(f"{len(self.skipped)} broken pictures or rows left out")
            self.say(f"{self.path}: {notes[-1]}, the first: {self.skipped[0]}")
        train = Counter(record.class_name for record in records if record.split == "train")
        if len(train) < 2:
            raise DataError(f"{self.path}: {len(train)} classes with training pictures; classification needs at least two")
        if absent := [name for name in table.classes if not train[name]]:
            raise DataError(f"{self.path}: no training picture is left of {shorten(absent)}; restore them or remove the class")
        if single := lonely(train):
            self.say(f"{self.path}: {len(single)} classes have one training picture: {shorten(single)}")
        return Table(table.layout, table.source, table.store, table.classes, records, [], notes)
