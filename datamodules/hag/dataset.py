"""Frames of polyps as tensors. Imported by workers: no Lightning here."""

from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.hag.augment import FrameAugment
from datamodules.hag.classes import size_class
from datamodules.hag.framing import Framing
from datamodules.hag.scenes import Scenes
from datamodules.hag.synth_planes import make_planes
from datamodules.hag.zoom import AreaZoom
from datamodules.order import Turn, sample_rng

__all__ = ["Facts", "FrameDataset", "Frames", "MadeFrames", "shrunk"]


class Facts(NamedTuple):
    """What is known of every frame, without looking at it."""

    mm: np.ndarray  # float32 (n,): 0 where there is none
    has_mm: np.ndarray  # bool (n,)
    censored: np.ndarray  # bool (n,)
    label: np.ndarray  # int64 (n,): -1 where there is none
    polyp: np.ndarray  # int64 (n,)
    row: np.ndarray  # int64 (n,): of the table

    @property
    def size_class(self) -> np.ndarray:
        """int64 (n,): 0, 1, 2 as in SIZE_CLASSES; -1 where there is no size."""
        return np.where(self.has_mm, size_class(self.mm), -1)

    def at(self, rows: np.ndarray) -> "Facts":
        return Facts(*(column[rows] for column in self))


class Frames(Protocol):
    """By place: the frame uint8 (H,W,3), the box of its polyp in pixels or None, and the named planes float32 (P,H,W)."""

    def __len__(self) -> int: ...
    def image(self, at: int, /) -> np.ndarray: ...
    def box(self, at: int, /) -> np.ndarray | None: ...
    def planes(self, at: int, names: tuple[str, ...], shape: tuple[int, int], /) -> np.ndarray: ...


class MadeFrames:
    """A part of the embedded set."""

    def __init__(self, images: np.ndarray, scenes: Scenes, rows: np.ndarray, seed: int, depth: str):
        self.images, self.scenes, self.rows, self.seed, self.depth = images, scenes, rows, seed, depth

    def __len__(self) -> int:
        return len(self.rows)

    def image(self, at: int) -> np.ndarray:
        return self.images[self.rows[at]]

    def box(self, at: int) -> np.ndarray:
        return self.scenes.box[self.rows[at]].astype(np.float64)

    def planes(self, at: int, names: tuple[str, ...], shape: tuple[int, int]) -> np.ndarray:
        return make_planes(self.scenes, int(self.rows[at]), shape[0], self.seed, names, self.depth)


class FrameDataset(Dataset[dict[str, Any]]):
    """With `augment` a training set, asked for (turn, index); else asked for an index."""

    def __init__(
        self,
        frames: Frames,
        facts: Facts,
        framing: Framing,
        seed: int = 0,
        augment: FrameAugment | None = None,
        zoom: AreaZoom | None = None,
    ):
        self.frames, self.facts, self.framing, self.seed, self.augment, self.zoom = frames, facts, framing, seed, augment, zoom

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        turn, index = key if isinstance(key, tuple) else (0, key)
        image, box = self.frames.image(index), self.frames.box(index)
        shape, names = image.shape[:2], tuple(self.framing.given)
        given = self.frames.planes(index, names, shape) if names else np.zeros((0, *shape), np.float32)
        mm, has_mm, censored, label, polyp, row = (column[index].item() for column in self.facts)
        if self.augment is not None:
            rng = sample_rng(self.seed, turn, index)
            image, box, given = shrunk(image, box, given, self.framing)  # augmenting what is then thrown away costs most of the time
            if self.zoom is not None:
                image, box, given, label = self.zoom(index, image, box, given, rng)
            image, box, given = self.augment(image, box, given, rng)
        corners = torch.zeros(0) if box is None else torch.from_numpy(box).float()
        framed = self.framing(torch.from_numpy(np.ascontiguousarray(image)), corners, torch.from_numpy(given))
        item = {
            "images": framed.image,
            "box": framed.box,
            "has_box": box is not None,
            "mm": torch.tensor(mm, dtype=torch.float32),  # a Python float would be collated as float64
            "has_mm": has_mm,
            "censored": censored,
            "label": label,
            "polyp": polyp,
            "id": row,
        }
        if self.framing.planes:
            item["planes"] = framed.planes
        if self.framing.view == "crop":
            item["scale"] = framed.scale
        return item


def shrunk(
    image: np.ndarray, box: np.ndarray | None, given: np.ndarray, framing: Framing
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """All three no larger than the network will see them, for training; evaluation shrinks once, and without OpenCV."""
    height, width = image.shape[:2]
    seen = max(height, width)
    if framing.view == "crop" and box is not None:
        seen = min(seen, float((1 + 2 * framing.growth) * min(box[2] - box[0], box[3] - box[1])))
    factor = framing.size / seen
    if factor >= 0.75:
        return image, box, given
    to = (max(1, round(width * factor)), max(1, round(height * factor)))
    if box is not None:
        box = box * np.array([to[0] / width, to[1] / height] * 2)
    planes = [cv2.resize(plane, to, interpolation=cv2.INTER_AREA) for plane in given]
    return cv2.resize(image, to, interpolation=cv2.INTER_AREA), box, np.stack(planes) if planes else np.zeros((0, to[1], to[0]), np.float32)
