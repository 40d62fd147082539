"""What pictures on disk have in common, of classes or of identities: a table read once, its splits as sets, its card."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.base import BaseData
from datamodules.dcal.reid_table import ReidTable
from datamodules.dcal.table import Table
from datamodules.dcal.usable import left_out, usable
from datamodules.preprocess import Preprocess
from datamodules.store import fingerprint

__all__ = ["PicturesOnDisk"]

T = TypeVar("T", Table, ReidTable)


class PicturesOnDisk(BaseData, Generic[T]):
    """A subclass sets the keys below, `preprocess` and `augmentation`, and says how a table is read and made into sets.

    Args:
        path: Folder or CSV, in any layout that `discern data check` recognises.
        workers: Processes that load; 0 loads in the training process. Changes no result.
        seed: Of the order and of augmentation.
        mean: Of each channel, on a 0..1 scale.
        std: Standard deviation of each channel.
        flip: Training pictures are mirrored half the time.
        jitter: How far brightness, contrast and colour of a training picture may change; 0 leaves them.
        erase: How often a rectangle of a training picture is blanked out.
        skip_broken: Leave out what is broken, with a count, instead of refusing the whole set.
        licence: A note for the data card and for exported files.
    """

    splits: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train",), "val": ("val",), "test": ("test",)}  # of the table's
    path: str
    skip_broken: bool
    preprocess: Preprocess
    augmentation: dict[str, Any]
    skipped: Sequence[str] = ()

    @abstractmethod
    def read_table(self) -> T:
        """The table as it is at `path`."""

    @abstractmethod
    def dataset(self, split: str, augment: Any = None) -> Dataset[Any]: ...

    @abstractmethod
    def load(self, record: Any) -> np.ndarray:
        """The picture of a record, as a program is given it: uint8 (H,W,3)."""

    @abstractmethod
    def counts(self) -> dict[str, dict[str, int]]:
        """Of the data card, by split."""

    @cached_property
    def table(self) -> T:
        """Every usable picture. Reading it refuses, or with `skip_broken` leaves out, what is broken."""
        table = self.read_table()
        kept, self.skipped = usable(self.path, table.store, table.records, table.problems, self.skip_broken, self.say)
        notes = [*table.notes, *([left_out(self.skipped)] if self.skipped else [])]
        table = replace(table, records=kept, problems=[], notes=notes)
        self.check(table)
        return table

    def check(self, table: T) -> None:
        """Refuse what is left where nothing can be learned from it."""

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            self.val_set, self.test_set = self.dataset("val"), self.dataset("test")
        if self.train_set is None and stage in (None, "fit"):
            from datamodules.transforms import Augment  # brings albumentations, 2 s; only training needs it

            self.train_set = self.training_set(Augment((self.preprocess.height, self.preprocess.width), **self.augmentation))

    def training_set(self, augment: Any) -> Dataset[Any]:
        return self.dataset("train", augment)

    def rows(self, split: str) -> list[int]:
        """Of the table."""
        return [row for row, record in enumerate(self.table.records) if record.split in self.splits[split]]

    def picture(self, row: int) -> np.ndarray:
        """What the model sees of the table's picture of this number (a batch's `index`), uint8 (H,W,3)."""
        x = self.preprocess(torch.from_numpy(self.load(self.table.records[row])))
        pixels = (x * self.preprocess.std + self.preprocess.mean).clamp(0, 255).round()
        return pixels.permute(1, 2, 0).to(torch.uint8).numpy()

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3), spread over the split."""
        rows = self.rows("test") or self.rows("val")
        return [torch.from_numpy(self.load(self.table.records[row]).copy()) for row in rows[:: max(1, len(rows) // max(1, n))][:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        table = self.table
        return {
            "name": Path(self.path).resolve().name,
            "source": str(self.path),
            "layout": table.layout,
            "counts": self.counts(),
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
        }
