"""What the study learns from: classified pictures of one side, in memory."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from datamodules.dcal import layouts
from datamodules.dcal.synth import CLASSES, SIDE, beetles
from datamodules.errors import DataError
from datamodules.hag.cifar_layout import is_cifar, read_cifar
from datamodules.pictures import decode

__all__ = ["GRID", "Part", "Pictures", "embedded", "read"]

GRID = 8  # patches a side, whatever the pictures' side: 64 tokens
SIDES = (32, 64)  # of pictures from disk; the smaller one for pictures that are no larger than 40 pixels
TRAIN, TEST = 4000, 1000  # embedded


class Part(NamedTuple):
    pictures: Tensor  # uint8 (N,3,side,side)
    labels: Tensor  # int64 (N,)


class Pictures(NamedTuple):
    name: str
    classes: int
    train: Part
    test: Part
    mirrors: bool  # a mirrored picture is of the same class

    @property
    def side(self) -> int:
        return self.train.pictures.shape[-1]


def embedded(train: int = TRAIN, test: int = TEST) -> Pictures:
    """Beetles: the class is one mark among marks that mean nothing; a mirrored mark may be that of another class."""
    parts = []
    for count, seed in ((train, 0), (test, 1)):
        made = beetles(count, seed)
        parts.append(Part(torch.from_numpy(made.images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(made.labels)))
    assert SIDE % GRID == 0
    return Pictures("beetles (embedded)", len(CLASSES), *parts, mirrors=False)


def read(path: Path) -> Pictures:
    """A set of classified pictures in any layout that dcal or hag reads; what is no test is learned from."""
    if is_cifar(path):
        table = read_cifar(path)
        store, classes = table.store, table.classes
        rows = [(record.file, classes.index(record.label), record.split == "test") for record in table.records]
    else:
        table = layouts.read(path)
        store, classes = table.store, table.classes
        rows = [(record.file, record.label, record.split == "test") for record in table.records]
    if len(classes) < 2 or not any(test for *_, test in rows) or all(test for *_, test in rows):
        raise DataError(f"{path}: the study needs two classes or more, and a training and a test split; see 'discern data check {path}'")
    first = decode(store.read(rows[0][0]), rows[0][0])
    side = SIDES[0] if max(first.shape[:2]) <= 40 else SIDES[1]
    parts = []
    for wanted in (False, True):
        chosen = [(file, label) for file, label, test in rows if test == wanted]
        pictures = np.stack([_square(decode(store.read(file), file), side) for file, _ in chosen])
        parts.append(Part(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), torch.tensor([label for _, label in chosen])))
    return Pictures(path.name, len(classes), *parts, mirrors=True)


def _square(picture: np.ndarray, side: int) -> np.ndarray:
    """The whole picture, its sides made equal."""
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
