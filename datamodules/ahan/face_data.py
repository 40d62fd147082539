"""What all faces have in common as batches, wherever they come from: family sampler, augmentation, pairs to verify, counts."""

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.ahan.augment import FaceAugment
from datamodules.ahan.dataset import FaceDataset, Images
from datamodules.ahan.family_sampler import FamilySampler
from datamodules.ahan.pairs import Pairs, draw_pairs
from datamodules.ahan.table import SPLITS
from datamodules.base import BaseData
from datamodules.errors import DataError
from datamodules.order import Loader
from datamodules.preprocess import Preprocess

__all__ = ["FaceData", "Hflip"]

HALF = (0.5, 0.5, 0.5)
Hflip = float | Literal["auto", "identity"]


class FaceData(BaseData):
    """Training batches of `groups` twin pairs and single people with `images` images each; evaluation in order, every image once.

    A subclass says what images and numbers a split has.

    Args:
        groups: Twin pairs and single people in a global batch.
        images: Of each person.
        twin_ratio: Twin pairs for one single person; 0: single people alone, inf: twin pairs alone.
        hflip: Chance of mirroring a training face, which destroys the sign of an asymmetry; auto: a half where the model reads no sign
            (faam.mode=abs), else none; identity: a half of them, as people of their own.
        jitter: How far brightness, contrast and saturation of a training face change.
        turn: Degrees that a training face is turned at most.
        shift: Share of the frame that it is moved at most.
    """

    preload = ("datamodules.ahan.dataset",)
    photographs: ClassVar[bool] = True  # of people, whom a run may show to nobody unasked

    def __init__(
        self,
        size: int,
        groups: int,
        images: int,
        twin_ratio: float,
        workers: int,
        seed: int,
        hflip: Hflip,
        jitter: float,
        turn: float,
        shift: float,
    ):
        super().__init__(groups * images, workers, seed)
        if isinstance(hflip, str) and hflip not in ("auto", "identity"):
            raise DataError(f"hflip {hflip!r} is not known; give a chance in 0..1, auto or identity")
        self.groups, self.images, self.twin_ratio = groups, images, twin_ratio
        self.mirrored_people = hflip == "identity"
        self.hflip: Hflip = hflip
        self.augment = FaceAugment({"auto": 0.0, "identity": 0.5}.get(hflip, 0.0) if isinstance(hflip, str) else hflip, jitter, turn, shift)
        self.size, self.preprocess = size, Preprocess(size, fit="squash", mean=HALF, std=HALF)

    def settle_hflip(self, asymmetry: str | None) -> None:
        """Called by what learns from the faces, with its faam.mode or None: hflip=auto mirrors only where the sign is given up."""
        if self.hflip == "auto":
            self.augment.hflip = 0.5 if asymmetry == "abs" else 0.0
        elif self.train_set is not None and asymmetry in ("both", "signed") and not self.mirrored_people and self.augment.hflip:
            self.say(f"hflip={self.augment.hflip:g} hides from faam.mode={asymmetry} on which side a face differs; hflip=auto does not")

    def numbers(self, split: str) -> np.ndarray:
        """int64 (n,4): person, family, visit, id of every image of a split."""
        raise NotImplementedError(f"{type(self).__name__} has no numbers()")

    def twins(self, split: str) -> np.ndarray:
        """int64 (n,): a number that twins share; unless a subclass knows better, all of a family are twins."""
        return self.numbers(split)[:, 1]

    def _trained(self) -> np.ndarray:
        """As `numbers`, where only twins are a family: to sampler, partners and losses other kin are other people."""
        numbers = self.numbers("train").copy()
        numbers[:, 1] = self.twins("train")
        return numbers

    def faces(self, split: str) -> Images:
        raise NotImplementedError(f"{type(self).__name__} has no faces()")

    @property
    def people(self) -> int:
        """Training persons, without the mirrored ones."""
        return len(np.unique(self.numbers("train")[:, 0]))

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Training persons by number: what people are called stays in the table."""
        count = self.people
        return [f"person {number}" for number in range(count)] + [
            f"person {n} mirrored" for n in range(count if self.mirrored_people else 0)
        ]

    def pairs(self, split: str = "test", general: int | None = None, same_visit: bool = False) -> Pairs:
        """What to verify, by places in the split's loader: see datamodules.ahan.pairs.draw_pairs."""
        person, family, visit, _ = self.numbers(split).T
        return draw_pairs(person, family, visit, self.seed, general, same_visit, self.twins(split))

    def bring_boxes(self) -> None:
        """From now on every image brings the boxes of its regions, for a model that reads them by landmarks. Call it after `setup`."""
        sets = [found for found in (self.train_set, self.val_set, self.test_set) if isinstance(found, FaceDataset)]
        if not any(found.images.landmarks for found in sets):
            raise DataError("streams.boxes=landmarks, but no image of this data has landmarks; use boxes=template, or name the five points")
        for found in sets:
            found.boxed = True

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            self.val_set, self.test_set = (FaceDataset(self.faces(name), self.numbers(name), self.preprocess) for name in ("val", "test"))
        if self.train_set is None and stage in (None, "fit"):
            mirrored_from = self.people if self.mirrored_people else None
            self.train_set = FaceDataset(self.faces("train"), self._trained(), self.preprocess, self.seed, self.augment, mirrored_from)

    def train_dataloader(self) -> Loader:
        self._size(self.train_set, "train")
        person, family, _, _ = self._trained().T
        rank, world = self._place()
        order = FamilySampler(person, family, self.groups, self.images, self.twin_ratio, self.seed, rank=rank, world=world)
        return self._loader(self.train_set, order)

    def examples(self, n: int) -> list[Tensor]:
        """Aligned test faces, uint8 (size,size,3), spread over the split."""
        faces = self.faces("test")
        return [torch.from_numpy(faces[at].copy()) for at in range(0, len(faces), max(1, len(faces) // max(1, n)))][:n]

    def counts(self) -> dict[str, dict[str, int]]:
        """Numbers only: people have names."""
        found = {}
        for split in SPLITS:
            person, family, _, _ = self.numbers(split).T
            together = np.unique(np.stack([self.twins(split), person], 1), axis=0)[:, 0]
            twins = int((np.unique(together, return_counts=True)[1] > 1).sum())
            found[split] = {"images": len(person), "people": len(together), "families": len(np.unique(family)), "with twins": twins}
        return found
