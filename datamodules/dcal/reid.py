"""Sightings of identities as batches: pictures on disk in any known layout, and the embedded beetles.

A batch holds `image`, and as int64 `identity`, `camera` (-1: not known) and `index` (of the table's row, where names and paths stay).
In val and test it also holds `is_query`: those ask, all others are the gallery.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import BaseData
from datamodules.cache import cached
from datamodules.dcal import synth, synth_identities
from datamodules.dcal.look import broken
from datamodules.dcal.pk_sampler import PkSampler
from datamodules.dcal.reid_dataset import IdentityBeetleDataset, SightingDataset
from datamodules.dcal.reid_layouts import read
from datamodules.dcal.reid_table import ReidTable, Sighting
from datamodules.errors import DataError
from datamodules.order import Loader
from datamodules.pictures import decode
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from datamodules.store import fingerprint

__all__ = ["BeetleIdentities", "IdentityData", "Reid"]


class IdentityData(BaseData):
    """Training batches of `identities` x `pictures`; evaluation batches of as many pictures, every one once.

    identities: different ones in a global batch; a multiple of the number of processes
    pictures: of each of them
    """

    def __init__(self, identities: int, pictures: int, workers: int, seed: int):
        super().__init__(identities * pictures, workers, seed)
        self.per_batch = (identities, pictures)

    def train_identities(self) -> np.ndarray:
        """Identity of every training picture, 0.. without holes."""
        raise NotImplementedError(f"{type(self).__name__} has no train_identities()")

    def train_dataloader(self) -> Loader:
        self._size(self.train_set, "train")
        rank, world = self._place()
        order = PkSampler(self.train_identities(), *self.per_batch, self.seed, rank=rank, world=world)
        if order.waiting:
            self.say(f"{order.waiting} of {len(self.train_identities())} training pictures wait for another epoch (whole groups only)")
        return self._loader(self.train_set, order)


class Reid(IdentityData):
    """Pictures on disk: see datamodules.dcal.reid_layouts for what can be read.

    path: folder or CSV
    layout: "auto", or one of reid_layouts.KNOWN by name
    trial: which of a set's random splits, where it has several (VIPeR: ten)
    image_size: of the model's input, one number or [height, width]; the whole picture is resized to it
    pad, flip, jitter, erase: training augmentation, see Augment
    skip_broken: leave out what is broken, with a count, instead of refusing the whole set
    licence: a note for the data card and for exported files
    """

    preload = ("datamodules.dcal.reid_dataset", "datamodules.transforms")

    def __init__(
        self,
        path: str,
        identities: int = 16,
        pictures: int = 4,
        workers: int = 0,
        seed: int = 0,
        layout: str = "auto",
        trial: int = 0,
        image_size: int | tuple[int, int] = (256, 128),
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        pad: int = 10,
        flip: bool = True,
        jitter: float = 0.0,
        erase: float = 0.5,
        skip_broken: bool = False,
        licence: str = "not stated by the source",
    ):
        super().__init__(identities, pictures, workers, seed)
        self.path, self.layout, self.trial = path, layout, trial
        self.skip_broken, self.licence = skip_broken, licence
        self.augmentation = {"pad": pad, "flip": flip, "jitter": jitter, "erase": erase}
        self.preprocess = Preprocess(image_size, "squash", 1.0, mean, std)
        self.skipped: list[str] = []
        self._table: ReidTable | None = None

    @property
    def table(self) -> ReidTable:
        """Every usable picture. Reading it refuses, or with `skip_broken` leaves out, what is broken."""
        if self._table is None:
            self._table = self._usable(read(self.path, self.layout, self.trial))
        return self._table

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Training identities by number: what people are called stays in the table."""
        return [f"identity {number}" for number in range(len(np.unique(self.train_identities())))]

    def train_identities(self) -> np.ndarray:
        return np.array([identity for identity, _ in self._numbers(self.table.of("train"))], dtype=np.int64)

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            self.val_set, self.test_set = self._dataset(("val",)), self._dataset(("query", "gallery"))
        if self.train_set is None and stage in (None, "fit"):
            from datamodules.transforms import Augment  # brings albumentations, 2 s; only training needs it

            augment = Augment((self.preprocess.height, self.preprocess.width), crop_scale=(1.0, 1.0), **self.augmentation)
            self.train_set = self._dataset(("train",), augment)

    def _dataset(self, splits: tuple[str, ...], augment: Any = None) -> SightingDataset:
        rows = self.table.rows(*splits)
        records = [self.table.records[row] for row in rows]
        return SightingDataset(
            self.table.store, records, rows, self._numbers(records), self.table.queries, self.preprocess, self.seed, augment
        )

    def _numbers(self, records: list[Sighting]) -> list[tuple[int, int]]:
        identities = {name: number for number, name in enumerate(self.table.identities)}
        cameras = {name: number for number, name in enumerate(self.table.cameras)}
        return [(identities[r.identity], -1 if r.camera is None else cameras[r.camera]) for r in records]

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3), spread over the split."""
        records = self.table.of("query", "gallery") or self.table.of("val")
        store = self.table.store
        chosen = records[:: max(1, len(records) // max(1, n))][:n]
        return [torch.from_numpy(decode(store.read(record.file), store.where(record.file)).copy()) for record in chosen]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        """Counts only: an identity may be a person's name."""
        table = self.table
        parts = {"train": table.of("train"), "val": table.of("val"), "query": table.of("query"), "gallery": table.of("gallery")}
        return {
            "name": Path(self.path).resolve().name,
            "source": str(self.path),
            "layout": table.layout,
            "trial": self.trial,
            "counts": {
                split: {"pictures": len(rows), "identities": len({r.identity for r in rows}), "cameras": len({r.camera for r in rows})}
                for split, rows in parts.items()
            },
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
            "licence": self.licence,
        }

    def _usable(self, table: ReidTable) -> ReidTable:
        bad = broken(table.store, table.records)
        self.skipped = table.problems + list(bad.values())
        if self.skipped and not self.skip_broken:
            more = f" (and {len(self.skipped) - 1} more; 'discern data check {self.path}' lists all)" if len(self.skipped) > 1 else ""
            raise DataError(f"{self.skipped[0]}{more}, or set skip_broken to leave such pictures out")
        notes = list(table.notes)
        if self.skipped:
            notes.append(f"{len(self.skipped)} broken pictures or rows left out")
            self.say(f"{self.path}: {notes[-1]}, the first: {self.skipped[0]}")
        kept = [record for record in table.records if record.file not in bad]
        return ReidTable(table.layout, table.source, table.store, kept, [], notes)


class BeetleIdentities(IdentityData):
    """The embedded set: 112 identities, each a pair of marks and a shell colour, by two cameras that disagree about colour.

    train, val, test: identities in each split, at most 112 together
    each: pictures of an identity by a camera; in val and test the first one asks
    decoys: marks without meaning beside the two
    noise: standard deviation of the pixel noise, on a 0..1 scale
    pictures_seed: which pictures are made, and which identities are split how; `seed` only orders them
    cache: folder in which made pictures are kept; None makes them anew, about 1 ms each
    """

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
        super().__init__(identities, pictures, workers, seed)
        if min(train, val, test) < 2 or train + val + test > len(synth_identities.IDENTITIES):
            raise DataError(
                f"{train}, {val} and {test} identities: give each split two or more, {len(synth_identities.IDENTITIES)} together at most"
            )
        if each < 2:
            raise DataError(f"{each} picture of an identity by a camera: give two or more, one of which asks")
        self.sizes = {"train": train, "val": val, "test": test}
        self.parameters: dict[str, Any] = {"each": each, "decoys": decoys, "noise": noise}
        self.pictures_seed, self.cache = pictures_seed, cache
        self.classes = [f"identity {number}" for number in range(train)]
        self._made: dict[str, synth_identities.IdentitySet] = {}
        self.preprocess = Preprocess(synth.SIDE, fit="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is None:
            picture, person = 0, 0
            for split, size in self.sizes.items():
                made = self.made(split)
                each = self.parameters["each"]
                numbers = person + np.arange(size).repeat(synth_identities.CAMERAS * each)
                asks = None if split == "train" else np.arange(len(numbers)) % each == 0
                setattr(self, f"{split}_set", IdentityBeetleDataset(made, numbers, self.preprocess, picture, asks))
                picture, person = picture + len(numbers), person + size

    def train_identities(self) -> np.ndarray:
        return np.arange(self.sizes["train"]).repeat(synth_identities.CAMERAS * self.parameters["each"])

    def made(self, split: str) -> synth_identities.IdentitySet:
        """One split's pictures, of identities that no other split has."""
        if split in self._made:
            return self._made[split]
        shuffled = np.random.default_rng([synth_identities.VERSION, self.pictures_seed]).permutation(len(synth_identities.IDENTITIES))
        first = sum(size for name, size in self.sizes.items() if list(self.sizes).index(name) < list(self.sizes).index(split))
        which = shuffled[first : first + self.sizes[split]]
        seed = 3 * self.pictures_seed + list(self.sizes).index(split)
        version = {"version": synth_identities.VERSION, "beetles": synth.VERSION, "which": which.tolist(), "seed": seed}
        made = cached(
            self.cache,
            "beetle-identities",
            self.parameters | version,
            lambda: synth_identities.identities(which, seed=seed, **self.parameters)._asdict(),
        )
        return self._made.setdefault(split, synth_identities.IdentitySet(**made))

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3)."""
        return [torch.from_numpy(image.copy()) for image in self.made("test").images[:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        counts = {
            split: {"pictures": len(self.made(split).cameras), "identities": size, "cameras": synth_identities.CAMERAS}
            for split, size in self.sizes.items()
        }
        return {
            "name": "beetle identities",
            "source": "made by datamodules.dcal.synth_identities",
            "parameters": self.parameters | {"pictures_seed": self.pictures_seed, "version": synth_identities.VERSION},
            "counts": counts,
            "fingerprint": synth.hash_arrays([array for split in self.sizes for array in self.made(split)]),
            "licence": "generated; free of rights of others",
        }
