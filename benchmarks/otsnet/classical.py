"""Reading words without a network: always the commonest one, and the label of the training picture that looks most alike.

Shapes: N training pictures, M test pictures, F features.
"""

import collections

import cv2
import numpy as np

from benchmarks.dcal.classical import hog
from datamodules.otsnet.charset import charset
from datamodules.otsnet.datamodule import Words
from datamodules.otsnet.normalise import for_comparison

__all__ = ["commonest", "nearest"]

SIZE = (128, 32)
CELL = 8  # chosen among 4, 8 and 16 on training pictures, each read by the others: 47.0, 47.1, 44.9 % of the words that occur twice


def commonest(data: Words, limit: int | None = None) -> tuple[list[str], list[int]]:
    """(answers, ids) of the test words. limit: so many of them."""
    ids = data.rows("test")[:limit]
    counts = collections.Counter(for_comparison(label, charset("36")) for label in data.training_labels())
    return [counts.most_common(1)[0][0]] * len(ids), ids


def nearest(data: Words, limit: int | None = None, split: str = "test") -> tuple[list[str], list[int]]:
    """By the cosine of histograms of oriented gradients of the stretched crops."""
    known, ids = data.rows("train")[:limit], data.rows(split)[:limit]
    x_NF, y_MF = features(data, known), features(data, ids)
    best_M = (y_MF @ x_NF.T).argmax(1)
    return [data.truth(known[row]) for row in best_M], ids


def features(data: Words, rows: list[int]) -> np.ndarray:
    """Of length one."""
    made_NF = np.stack([hog(cv2.resize(data.picture(row), SIZE, interpolation=cv2.INTER_AREA), CELL) for row in rows])
    return made_NF / np.linalg.norm(made_NF, axis=1, keepdims=True).clip(1e-6)
