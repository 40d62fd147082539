"""What embedded sets have in common: pictures made by code, each split from a seed of its own."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.base import MADE, BaseData
from datamodules.dcal import synth
from datamodules.dcal.synth_identities import IdentitySet
from datamodules.preprocess import Preprocess

__all__ = ["MadePictures"]

M = TypeVar("M", synth.BeetleSet, IdentitySet)


class MadePictures(BaseData, Generic[M]):
    """A subclass sets `sizes`, `parameters`, `pictures_seed` and `cache`, and says how a split is made.

    Args:
        workers: Processes that load; 0 loads in the training process. Changes no result.
        seed: Of the order alone; which pictures are made, says pictures_seed.
        noise: Standard deviation of the pixel noise, on a 0..1 scale.
        pictures_seed: Which pictures are made.
        cache: Folder in which made pictures are kept; null makes them anew, about 1 ms each.
    """

    called: ClassVar[str]
    licence = MADE
    source: ClassVar[str]  # the module that makes them
    sizes: dict[str, int]
    parameters: dict[str, Any]
    pictures_seed: int
    cache: str | None

    def __init__(self, batch_size: int, workers: int, seed: int):
        super().__init__(batch_size, workers, seed)
        self.preprocess = Preprocess(synth.SIDE, fit="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        self._made: dict[str, M] = {}

    @abstractmethod
    def make(self, split: str, seed: int) -> M: ...

    @abstractmethod
    def dataset(self, split: str) -> Dataset[Any]: ...

    @abstractmethod
    def counts(self) -> dict[str, dict[str, int]]:
        """Of the data card, by split."""

    @abstractmethod
    def stated(self) -> dict[str, Any]:
        """Everything that the pictures depend on, for the data card."""

    def made(self, split: str) -> M:
        """One split's pictures."""
        if split not in self._made:
            self._made[split] = self.make(split, 3 * self.pictures_seed + list(self.sizes).index(split))
        return self._made[split]

    def before(self, split: str) -> int:
        """Sizes of the splits that come first."""
        names = list(self.sizes)
        return sum(self.sizes[name] for name in names[: names.index(split)])

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is None:
            self.train_set, self.val_set, self.test_set = (self.dataset(split) for split in self.sizes)

    def picture(self, row: int) -> np.ndarray:
        """The picture of this number over all splits (a batch's `index`), uint8 (H,W,3)."""
        for split in self.sizes:
            images = self.made(split).images
            if row < len(images):
                return images[row]
            row -= len(images)
        raise IndexError("no picture of this number")

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3)."""
        return [torch.from_numpy(image.copy()) for image in self.made("test").images[:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": self.called,
            "source": f"made by {self.source}",
            "parameters": self.stated(),
            "counts": self.counts(),
            "fingerprint": synth.hash_arrays([array for split in self.sizes for array in self.made(split)]),
        }
