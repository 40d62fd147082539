"""How good a detector of words is: which boxes of the truth it found, and which of its own are true."""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from apps.otsnet.photos.found import Finder

__all__ = ["Quality", "iou", "matched", "quality"]


class Quality(NamedTuple):
    recall: float
    precision: float
    words: int  # of the truth
    boxes: int  # found


def quality(finder: Finder, pages: Iterable[tuple[np.ndarray, np.ndarray]], least: float = 0.5) -> Quality:
    """pages: (picture, corners of its words (N,4,2)). A box is of a word if they share `least` of what they cover together."""
    hits = words = boxes = 0
    for picture, true_N42 in pages:
        found = finder(picture)
        hits += matched(found.boxes_N42, true_N42, least)
        words, boxes = words + len(true_N42), boxes + len(found.scores_N)
    return Quality(hits / max(1, words), hits / max(1, boxes), words, boxes)


def matched(found_N42: np.ndarray, true_M42: np.ndarray, least: float = 0.5) -> int:
    """How many words have a box of their own, best pairs first."""
    near = [(i, j) for i, j in np.ndindex(len(found_N42), len(true_M42)) if _near(found_N42[i], true_M42[j])]
    pairs = [(iou(found_N42[i], true_M42[j]), i, j) for i, j in near]
    boxes: set[int] = set()
    words: set[int] = set()
    for share, i, j in sorted(pairs, reverse=True):
        if share >= least and i not in boxes and j not in words:
            boxes.add(i)
            words.add(j)
    return len(words)


def iou(one_42: np.ndarray, other_42: np.ndarray) -> float:
    """Of two convex quadrilaterals."""
    one, other = np.asarray(one_42, np.float32), np.asarray(other_42, np.float32)
    shared = float(cv2.intersectConvexConvex(one, other)[0])
    return shared / max(1e-6, cv2.contourArea(one) + cv2.contourArea(other) - shared)


def _near(one_42: np.ndarray, other_42: np.ndarray) -> bool:
    return bool((one_42.min(0) < other_42.max(0)).all() and (other_42.min(0) < one_42.max(0)).all())
