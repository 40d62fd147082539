"""Sightings of identities as batches: pictures on disk in any known layout, and the embedded beetles.

A batch holds `image`, and as int64 `identity`, `camera` (-1: not known) and `index` (of the table's row, where names and paths stay).
In val and test it also holds `is_query`: those ask, all others are the gallery.
"""

from typing import Any, ClassVar

import numpy as np
from torch.utils.data import Dataset

from datamodules.base import NOT_STATED, BaseData
from datamodules.cache import cached
from datamodules.dcal import synth, synth_identities
from datamodules.dcal.made import MadePictures
from datamodules.dcal.on_disk import PicturesOnDisk
from datamodules.dcal.pk_sampler import PkSampler
from datamodules.dcal.reid_dataset import IdentityBeetleDataset, SightingDataset
from datamodules.dcal.reid_layouts import Named, read
from datamodules.dcal.reid_table import REID_SPLITS, ReidTable, Sighting
from datamodules.errors import DataError
from datamodules.order import Loader
from datamodules.pictures import decode
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

__all__ = ["BeetleIdentities", "IdentityData", "Reid"]


class IdentityData(BaseData):
    """Training batches of `identities` x `pictures`; evaluation batches of as many pictures, every one once.

    Args:
        identities: Different ones in a global batch; a multiple of the number of processes.
        pictures: Of each of them.
    """

    per_batch: tuple[int, int]

    def train_identities(self) -> np.ndarray:
        """Identity of every training picture, 0.. without holes."""
        raise NotImplementedError(f"{type(self).__name__} has no train_identities()")

    def without_camera(self) -> tuple[int, int]:
        """(pictures of no known camera, pictures), of all that are ranked: validation, queries and gallery."""
        raise NotImplementedError(f"{type(self).__name__} has no without_camera()")

    def train_dataloader(self) -> Loader:
        self._size(self.train_set, "train")
        rank, world = self._place()
        order = PkSampler(self.train_identities(), *self.per_batch, self.seed, rank=rank, world=world)
        if order.waiting:
            self.say(f"{order.waiting} of {len(self.train_identities())} training pictures wait for another epoch (whole groups only)")
        return self._loader(self.train_set, order)


class Reid(PicturesOnDisk[ReidTable], IdentityData):
    """Pictures on disk: see datamodules.dcal.reid_layouts for what can be read.

    Args:
        layout: How the pictures lie there; auto recognises it.
        trial: Which of a set's random splits, where it has several (VIPeR: ten).
        image_size: Of the model's input, one number or [height, width]; the whole picture is resized to it.
        pad: Pixels around a training picture, of which its size is then cut out.
    """

    preload = ("datamodules.dcal.reid_dataset", "datamodules.transforms")
    splits: ClassVar = {"train": ("train",), "val": ("val",), "test": ("query", "gallery")}

    def __init__(
        self,
        path: str,
        identities: int = 16,
        pictures: int = 4,
        workers: int = 0,
        seed: int = 0,
        layout: Named = "auto",
        trial: int = 0,
        image_size: int | tuple[int, int] = (256, 128),
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        pad: int = 10,
        flip: bool = True,
        jitter: float = 0.0,
        erase: float = 0.5,
        skip_broken: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(identities * pictures, workers, seed)
        self.per_batch = (identities, pictures)
        self.path, self.trial = path, trial
        self.layout: Named = layout
        self.skip_broken, self.licence = skip_broken, licence
        self.augmentation = {"crop_scale": (1.0, 1.0), "pad": pad, "flip": flip, "jitter": jitter, "erase": erase}
        self.preprocess = Preprocess(image_size, "squash", 1.0, mean, std)

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Training identities by number: what people are called stays in the table."""
        return [f"identity {number}" for number in range(len(np.unique(self.train_identities())))]

    def read_table(self) -> ReidTable:
        return read(self.path, self.layout, self.trial)

    def train_identities(self) -> np.ndarray:
        return np.array([identity for identity, _ in self._numbers(self.table.of("train"))], dtype=np.int64)

    def without_camera(self) -> tuple[int, int]:
        ranked = self.table.of("val", "query", "gallery")
        return sum(record.camera is None for record in ranked), len(ranked)

    def dataset(self, split: str, augment: Any = None) -> SightingDataset:
        rows = self.rows(split)
        records = [self.table.records[row] for row in rows]
        return SightingDataset(
            self.table.store, records, rows, self._numbers(records), self.table.queries, self.preprocess, self.seed, augment
        )

    def _numbers(self, records: list[Sighting]) -> list[tuple[int, int]]:
        identities = {name: number for number, name in enumerate(self.table.identities)}
        cameras = {name: number for number, name in enumerate(self.table.cameras)}
        return [(identities[r.identity], -1 if r.camera is None else cameras[r.camera]) for r in records]

    def load(self, record: Sighting) -> np.ndarray:
        return decode(self.table.store.read(record.file), self.table.store.where(record.file))

    def counts(self) -> dict[str, dict[str, int]]:
        """Numbers only: an identity may be a person's name."""
        parts = {split: self.table.of(split) for split in REID_SPLITS}
        return {
            split: {"pictures": len(rows), "identities": len({r.identity for r in rows}), "cameras": len({r.camera for r in rows})}
            for split, rows in parts.items()
        }

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {**super().describe(hash_content), "trial": self.trial}


class BeetleIdentities(MadePictures[synth_identities.IdentitySet], IdentityData):
    """The embedded set: 112 identities, each a pair of marks and a shell colour, by two cameras that disagree about colour.

    Args:
        train: Identities to train on; at most 112 in all three splits together.
        val: Identities to validate on.
        test: Identities to test on.
        each: Pictures of an identity by a camera; in val and test the first one asks.
        decoys: Marks without meaning beside the two.
        pictures_seed: Which pictures are made, and which identities are split how.
    """

    called, source = "beetle identities", "datamodules.dcal.synth_identities"

    def __init__(
        self,
        identities: int = 16,
        pictures: int = 4,
        workers: int = 0,
        seed: int = 0,
        train: int = 64,
        val: int = 16,
        test: int = 32,
        each: int = 4,
        decoys: int = 1,
        noise: float = 0.06,
        pictures_seed: int = 0,
        cache: str | None = None,
    ):
        super().__init__(identities * pictures, workers, seed)
        self.per_batch = (identities, pictures)
        if min(train, val, test) < 2 or train + val + test > len(synth_identities.IDENTITIES):
            raise DataError(
                f"{train}, {val} and {test} identities: give each split two or more, {len(synth_identities.IDENTITIES)} together at most"
            )
        if each < 2:
            raise DataError(f"{each} picture of an identity by a camera: give two or more, one of which asks")
        self.sizes = {"train": train, "val": val, "test": test}
        self.parameters = {"each": each, "decoys": decoys, "noise": noise}
        self.pictures_seed, self.cache = pictures_seed, cache
        self.classes = [f"identity {number}" for number in range(train)]

    def dataset(self, split: str) -> Dataset[Any]:
        first, each = self.before(split), self._each
        numbers = first + np.arange(self.sizes[split]).repeat(each)
        asks = None if split == "train" else np.arange(len(numbers)) % self.parameters["each"] == 0
        return IdentityBeetleDataset(self.made(split), numbers, self.preprocess, first * each, asks)

    @property
    def _each(self) -> int:
        """Pictures of an identity, by all cameras."""
        return synth_identities.CAMERAS * self.parameters["each"]

    def train_identities(self) -> np.ndarray:
        return np.arange(self.sizes["train"]).repeat(self._each)

    def without_camera(self) -> tuple[int, int]:
        return 0, (self.sizes["val"] + self.sizes["test"]) * self._each

    def make(self, split: str, seed: int) -> synth_identities.IdentitySet:
        """Of identities that no other split has."""
        shuffled = np.random.default_rng([synth_identities.VERSION, self.pictures_seed]).permutation(len(synth_identities.IDENTITIES))
        which = shuffled[self.before(split) :][: self.sizes[split]]
        version = {"version": synth_identities.VERSION, "beetles": synth.VERSION, "which": which.tolist(), "seed": seed}
        made = cached(
            self.cache,
            "beetle-identities",
            self.parameters | version,
            lambda: synth_identities.identities(which, seed=seed, **self.parameters)._asdict(),
        )
        return synth_identities.IdentitySet(**made)

    def counts(self) -> dict[str, dict[str, int]]:
        return {
            split: {"pictures": len(self.made(split).cameras), "identities": size, "cameras": synth_identities.CAMERAS}
            for split, size in self.sizes.items()
        }

    def stated(self) -> dict[str, Any]:
        return self.parameters | {"pictures_seed": self.pictures_seed, "version": synth_identities.VERSION}
