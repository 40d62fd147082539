"""What all frames of polyps have in common as batches, wherever they come from: views, planes, sampler, augmentation, the third split."""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import BaseData
from datamodules.errors import DataError
from datamodules.hag.augment import FrameAugment
from datamodules.hag.classes import SIZE_CLASSES
from datamodules.hag.dataset import Facts, FrameDataset, Frames
from datamodules.hag.framing import PAPER_MEAN, PAPER_STD, Framing, plane_names
from datamodules.hag.polyp_sampler import PolypSampler
from datamodules.hag.zoom import AreaZoom
from datamodules.order import Loader, Order

__all__ = ["PolypData", "View"]

View = Literal["frame", "crop"]


class PolypData(BaseData):
    """A subclass says what frames and facts a split has. Splits are train, gates, val, test; gates is a part of train, and seldom there.

    A batch holds `images` (normalised), `box` (0..1 of the picture; the whole frame where has_box is not), `has_box`, `mm` (0 where
    has_mm is not), `has_mm`, `censored`, `label` (-1: none), `polyp` and `id` (row of the table); `planes` where some are asked for,
    and `scale` of a crop.

    Args:
        size: Of the picture that the network sees, in pixels.
        view: The whole frame, letterboxed, or the crop round the box, stretched to the square.
        planes: Beside the picture, in this order: loc, mask, and what the data bring.
        growth: Of the box in a crop, in its own sides, on each side.
        frames_per_polyp: Drawn of every polyp each epoch; 0 takes every frame once.
        gates: Share of the training groups that is kept from the weights, for the gates to learn from.
        turn: Degrees that a training frame is turned at most.
        shift: Share of the frame that it is moved at most, to any side.
        flip: Chance of mirroring a training frame.
        topple: Mirror it upside down and about the diagonal, too, with the same chance: a scope has no up, photographs have.
        jitter: How far its colours change.
        blur: Most pixels by which it is blurred.
        noise: Largest standard deviation of what is added, on a 0..1 scale.
        mean: Of each channel, on a 0..1 scale.
        std: Standard deviation of each channel.
    """

    preload = ("datamodules.hag.dataset",)
    brought: ClassVar[tuple[str, ...]] = ()  # planes that the data bring
    classification = False  # labels, no mm

    def __init__(
        self,
        size: int,
        view: View,
        planes: list[str],
        growth: float,
        batch_size: int,
        frames_per_polyp: int,
        gates: float,
        workers: int,
        seed: int,
        turn: float,
        shift: float,
        flip: float,
        topple: bool,
        jitter: float,
        blur: float,
        noise: float,
        mean: tuple[float, float, float] = PAPER_MEAN,
        std: tuple[float, float, float] = PAPER_STD,
    ):
        super().__init__(batch_size, workers, seed)
        known = ("loc", "mask", *self.brought)
        if unknown := [name for name in planes if name not in known]:
            raise DataError(f"planes: {unknown[0]!r} is not one of {', '.join(known)}")
        if not 0 <= gates < 0.9:
            raise DataError(f"gates {gates:g} must lie in 0..0.9: the weights learn from the rest")
        if frames_per_polyp < 0:
            raise DataError(f"frames_per_polyp must not be negative, got {frames_per_polyp}; 0 takes every frame once")
        try:
            self.framing = Framing(size, view, planes, growth, mean, std)
        except ValueError as error:
            raise DataError(str(error)) from None
        self.size, self.view, self.frames_per_polyp, self.gates = size, view, frames_per_polyp, gates
        self.augment = FrameAugment(turn, shift, flip, topple, jitter, blur, noise)
        self.gates_set: FrameDataset | None = None

    @property
    def planes(self) -> tuple[str, ...]:
        """One name for every plane of a batch, in order."""
        return plane_names(self.framing.planes)

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return list(SIZE_CLASSES)

    @property
    def polyps(self) -> list[str]:
        """What a batch's `polyp` numbers."""
        raise NotImplementedError(f"{type(self).__name__} has no polyps")

    def sight(self) -> dict[str, Any]:
        """What is done to a frame and its given planes before the framing sees them: plain values, for whoever does it again."""
        return {}

    def learned(self) -> dict[str, Any]:
        """Which frames these are and who of them is held out of training: plain values, hashes instead of names."""
        raise NotImplementedError(f"{type(self).__name__} has no learned()")

    def frames(self, split: str) -> Frames:
        raise NotImplementedError(f"{type(self).__name__} has no frames()")

    def facts(self, split: str) -> Facts:
        """Of every frame of a split, in its loader's order."""
        raise NotImplementedError(f"{type(self).__name__} has no facts()")

    def groups(self, split: str) -> np.ndarray:
        """int64 (n,): frames of one number are nearly one frame, as those of a polyp or near-copies are."""
        return self.facts(split).polyp

    def boxes(self, split: str) -> np.ndarray:
        """float32 (n,4): xmin, ymin, xmax, ymax of a split in 0..1 of the letterboxed frame; the whole frame where there is no box."""
        raise NotImplementedError(f"{type(self).__name__} has no boxes()")

    def zooming(self, split: str) -> AreaZoom | None:
        """Of training frames. Millimetres allow none: a zoom would change what a box means."""
        return None

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            self.val_set, self.test_set = self._set("val"), self._set("test")
        if self.train_set is None and stage in (None, "fit"):
            self.train_set = self._set("train", self.augment)
            if self.gates:
                self.gates_set = self._set("gates", self.augment)

    def _set(self, split: str, augment: FrameAugment | None = None) -> FrameDataset:
        zoom = None if augment is None else self.zooming(split)
        return FrameDataset(self.frames(split), self.facts(split), self.framing, self.seed, augment, zoom)

    def train_dataloader(self) -> Loader:
        return self._training(self.train_set, "train")

    def gate_dataloader(self) -> Loader:
        """Groups that the weights never see, for gates that learn apart from them."""
        if not self.gates:
            raise DataError("no third split for the gates; set data.gates, 0.15 of the training groups is usual")
        return self._training(self.gates_set, "gates")

    def _training(self, dataset: Any, split: str) -> Loader:
        size = self._size(dataset, split)
        rank, world = self._place()
        if self.frames_per_polyp:
            order: Order = PolypSampler(self.facts(split).polyp, self.frames_per_polyp, self.batch_size, self.seed, rank=rank, world=world)
        else:
            order = Order(size, self.batch_size, self.seed, drop_last=size >= self.batch_size, rank=rank, world=world)
        return self._loader(dataset, order)

    def counts(self) -> dict[str, dict[str, int]]:
        found = {}
        for split in ("train", *(("gates",) if self.gates else ()), "val", "test"):
            facts = self.facts(split)
            found[split] = {"frames": len(facts.mm), "polyps": len(np.unique(facts.polyp))}
            kinds = facts.label if self.classification else facts.size_class
            found[split] |= {name: int((kinds == number).sum()) for number, name in enumerate(self.classes)}
        return found

    def examples(self, n: int) -> list[tuple[Tensor, Tensor]]:
        """Raw test frames, uint8 (H,W,3), with their boxes in pixels (4,) - or (0,) - spread over the split."""
        frames, found = self.frames("test"), []
        for at in list(range(0, len(frames), max(1, len(frames) // max(1, n))))[:n]:
            box: Any = frames.box(at)
            found.append((torch.from_numpy(frames.image(at).copy()), torch.zeros(0) if box is None else torch.from_numpy(box).float()))
        return found
