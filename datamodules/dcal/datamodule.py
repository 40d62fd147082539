"""Classified pictures as batches: the embedded beetles, and pictures on disk in any known layout."""

from collections import Counter
from typing import Any, Literal

import numpy as np
from torch.utils.data import Dataset

from datamodules.base import NOT_STATED
from datamodules.cache import cached
from datamodules.checks import lonely, shorten
from datamodules.dcal import synth
from datamodules.dcal.dataset import BeetleDataset, PictureDataset, load_picture
from datamodules.dcal.layouts import Named, read
from datamodules.dcal.made import MadePictures
from datamodules.dcal.on_disk import PicturesOnDisk
from datamodules.dcal.partnered import Partnered, strangers
from datamodules.dcal.table import Record, Table
from datamodules.dcal.usable import usable
from datamodules.errors import DataError
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

__all__ = ["Beetles", "Pictures"]


class Beetles(MadePictures[synth.BeetleSet]):
    """The embedded set (papers' word: easy = the defaults; gap = train 256, decoys 5, noise 0.12). A batch also carries `cell`.

    Args:
        batch_size: Of the global batch, over all processes.
        train: Pictures to train on.
        val: Pictures to validate on.
        test: Pictures to test on.
        decoys: Marks without meaning beside the class mark.
        cue: Probability that a TRAINING picture's background hue tells its class.
        partners: A second picture with every training sample: none, or any other of the split (train).
    """

    called, source = "beetles", "datamodules.dcal.synth"
    box_crop = False

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
        partners: Literal["none", "train"] = "none",
    ):
        super().__init__(batch_size, workers, seed)
        if partners not in ("none", "train"):
            raise DataError(f"partners={partners}: made pictures have partners from train, or none")
        self.partners = partners
        self.sizes = {"train": train, "val": val, "test": test}
        self.parameters = {"decoys": decoys, "noise": noise}
        self.cue, self.pictures_seed, self.cache = cue, pictures_seed, cache
        self.classes = list(synth.CLASSES)

    def dataset(self, split: str) -> Dataset[Any]:
        made = BeetleDataset(self.made(split), self.preprocess, self.before(split))
        return Partnered(made, self.seed) if split == "train" and self.partners == "train" else made

    def make(self, split: str, seed: int) -> synth.BeetleSet:
        parameters = self.parameters | {"n": self.sizes[split], "seed": seed, "cue": self.cue if split == "train" else 0.0}
        version = {"version": synth.VERSION}
        return synth.BeetleSet(**cached(self.cache, "beetles", parameters | version, lambda: synth.beetles(**parameters)._asdict()))

    def counts(self) -> dict[str, dict[str, int]]:
        return {split: dict(sorted(Counter(self.classes[label] for label in self.made(split).labels).items())) for split in self.sizes}

    def stated(self) -> dict[str, Any]:
        return self.parameters | {"cue": self.cue, "pictures_seed": self.pictures_seed, "version": synth.VERSION}


class Pictures(PicturesOnDisk[Table]):
    """Pictures on disk: see datamodules.dcal.layouts for what can be read.

    Args:
        batch_size: Of the global batch, over all processes.
        layout: How the pictures lie there; auto recognises it.
        image_size: Of the model's input, one number or [height, width].
        fit: How evaluation gets there: cut the largest centred window and resize it (crop), or resize the whole picture (squash).
        share: Of that window's sides that crop keeps; 0.875 is the usual resize to 256, crop of 224.
        crop_scale: Least and largest share of a training picture's area that is cut out.
        box_crop: Use only the part of the picture in its box, where there is one.
        balanced: Draw every class equally often, with replacement.
        partners: A second picture with every training sample: none, any other of the split (train), or a folder of other pictures.
    """

    preload = ("datamodules.dcal.dataset", "datamodules.transforms")

    def __init__(
        self,
        path: str,
        batch_size: int = 32,
        workers: int = 0,
        seed: int = 0,
        layout: Named = "auto",
        image_size: int | tuple[int, int] = 96,
        fit: Literal["crop", "squash"] = "crop",
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
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed)
        self.path, self.box_crop, self.balanced = path, box_crop, balanced
        self.layout: Named = layout
        self.partners, self.skip_broken, self.licence = partners, skip_broken, licence
        self.augmentation = {"crop_scale": tuple(crop_scale), "flip": flip, "jitter": jitter, "erase": erase}
        self.preprocess = Preprocess(image_size, fit, share, mean, std)

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.table.classes

    def read_table(self) -> Table:
        return read(self.path, self.layout)

    def training_set(self, augment: Any) -> Dataset[Any]:
        samples = self.dataset("train", augment)
        return samples if self.partners == "none" else Partnered(samples, self.seed, self._others(augment))

    def _others(self, augment: Any) -> PictureDataset | None:
        if self.partners == "train":
            return None
        store, records = strangers(self.partners)
        records, _ = usable(self.partners, store, records, [], self.skip_broken, self.say)
        if not records:
            raise DataError(f"partners={self.partners}: every picture in it is broken; name another folder, or train")
        return PictureDataset(store, records, list(range(len(records))), self.preprocess, False, self.seed, augment)

    def dataset(self, split: str, augment: Any = None) -> PictureDataset:
        rows = self.rows(split)
        records = [self.table.records[row] for row in rows]
        return PictureDataset(self.table.store, records, rows, self.preprocess, self.box_crop, self.seed, augment)

    def load(self, record: Record) -> np.ndarray:
        return load_picture(self.table.store, record, self.box_crop)

    def train_weights(self) -> np.ndarray | None:
        if not self.balanced:
            return None
        labels = np.array([self.table.records[row].label for row in self.rows("train")])
        return 1 / np.bincount(labels)[labels]

    def counts(self) -> dict[str, dict[str, int]]:
        return {split: dict(sorted(by_class.items())) for split, by_class in self.table.counts().items()}

    def check(self, table: Table) -> None:
        train = Counter(record.class_name for record in table.records if record.split == "train")
        if len(train) < 2:
            raise DataError(
                f"{self.path}: {len(train)} classes with training pictures; classification needs at least two: add another class"
            )
        if absent := [name for name in table.classes if not train[name]]:
            raise DataError(f"{self.path}: no training picture is left of {shorten(absent)}; restore them or remove the class")
        if single := lonely(train):
            self.say(f"{self.path}: {len(single)} classes have one training picture: {shorten(single)}")
