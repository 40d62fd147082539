"""Faces as tensors. Imported by workers: no Lightning here."""

from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.ahan.augment import FaceAugment
from datamodules.ahan.framing import whole
from datamodules.ahan.landmarks import five_of, region_boxes, template_boxes
from datamodules.ahan.table import Face
from datamodules.ahan.template import AlignmentError, face_similarity, warp
from datamodules.errors import DataError
from datamodules.order import Turn, sample_rng
from datamodules.pictures import decode
from datamodules.preprocess import Preprocess
from datamodules.store import Store

__all__ = ["MAX_PIXELS", "FaceDataset", "Images", "Made", "OnDisk"]

MAX_PIXELS = 50_000_000  # a photograph of more is refused before it is decoded


class Images(Protocol):
    """Aligned faces by index, uint8 (size,size,3). landmarks: whether points of any of them are known."""

    @property
    def landmarks(self) -> bool: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> np.ndarray: ...
    def points(self, index: int, /) -> np.ndarray | None:
        """(N,2) in the aligned face, where they are known."""


class Made:
    """A part of an embedded set."""

    landmarks = True

    def __init__(self, images: np.ndarray, points: np.ndarray):
        self.images, self._points = images, points

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.images[index]

    def points(self, index: int) -> np.ndarray:
        return self._points[index]


class OnDisk:
    """Photographs, brought into the frame: by five points where they are known, else by the crop that their layout states, else whole."""

    def __init__(self, store: Store, records: list[Face], size: int):
        self.store, self.records, self.size = store, records, size

    @property
    def landmarks(self) -> bool:
        return any(record.points for record in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> np.ndarray:
        record = self.records[index]
        where = self.store.where(record.file)
        return self.framed(record, decode(self.store.read(record.file), where, max_pixels=MAX_PIXELS), where)

    def framed(self, record: Face, image: np.ndarray, where: str) -> np.ndarray:
        """The aligned face on a picture that is decoded already."""
        if record.points:
            return warp(image, self._matrix(record), self.size)
        if record.crop:
            left, top, right, lower = record.crop
            if not (0 <= left < right <= image.shape[1] and 0 <= top < lower <= image.shape[0]):
                raise DataError(
                    f"{where}: {image.shape[1]} x {image.shape[0]} pixels, outside of which the crop {record.crop} lies; fetch it again"
                )
            image = np.ascontiguousarray(image[top:lower, left:right])
        return whole(image, self.size)

    def points(self, index: int) -> np.ndarray | None:
        record = self.records[index]
        if not record.points:
            return None
        matrix = self._matrix(record)
        return np.array(record.points).reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]

    def misplaced(self) -> dict[str, str]:
        """file -> what is wrong, of the images whose points are none of a face."""
        found = {}
        for record in self.records:
            try:
                if record.points:
                    self._matrix(record)
            except AlignmentError as error:
                found[record.file] = str(error)
        return found

    def _matrix(self, record: Face) -> np.ndarray:
        try:
            return face_similarity(five_of(np.array(record.points).reshape(-1, 2)), self.size)
        except AlignmentError as error:
            raise AlignmentError(f"{record.where or self.store.where(record.file)}: {error}") from None


class FaceDataset(Dataset[dict[str, Any]]):
    """With `augment` a training set, asked for (turn, index); else asked for an index.

    numbers: int64 (n,4): person, family, visit, id of every image; -1 is not known
    With `boxed` every image has `boxes` of its regions, too: by its own points, or else the template's.

    mirrored_from: a mirrored face is a person of its own, numbered from here; None: it is the same person
    """

    def __init__(
        self,
        images: Images,
        numbers: np.ndarray,
        preprocess: Preprocess,
        seed: int = 0,
        augment: FaceAugment | None = None,
        mirrored_from: int | None = None,
    ):
        self.images, self.numbers, self.preprocess, self.seed = images, numbers, preprocess, seed
        self.augment, self.mirrored_from = augment, mirrored_from
        self.boxed = False

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Turn | int) -> dict[str, Any]:
        turn, index = key if isinstance(key, tuple) else (0, key)
        image = self.images[index]
        person, family, visit, number = self.numbers[index].tolist()
        moved = np.eye(3)[:2]
        if self.augment is not None:
            image, mirrored, moved = self.augment(image, sample_rng(self.seed, turn, index))
            if mirrored and self.mirrored_from is not None:
                person, family = person + self.mirrored_from, family + self.mirrored_from
        x = self.preprocess.normalise(torch.from_numpy(image).permute(2, 0, 1).float())
        item = {"images": x, "person": person, "family": family, "visit": visit, "id": number}
        if not self.boxed:
            return item
        points = self.images.points(index)
        boxes = template_boxes() if points is None else region_boxes(points @ moved[:, :2].T + moved[:, 2], image.shape[0])
        return item | {"boxes": torch.from_numpy(boxes.boxes)}
