"""What every detector answers, and what makes it comparable: no box twice, in the order in which people read.

Shapes: N words, 4 corners, 2 x and y in pixels of the picture.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

__all__ = ["Finder", "Found", "without_doubles"]


class Found(NamedTuple):
    boxes_N42: np.ndarray  # float32, corners clockwise from the top left of the text
    scores_N: np.ndarray  # float32, 0..1

    def take(self, rows: np.ndarray) -> "Found":
        return Found(self.boxes_N42[rows], self.scores_N[rows])


Finder = Callable[[np.ndarray], Found]  # of a picture, uint8 (H,W,3)


def bounds(boxes_N42: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 around each box, (N,4)."""
    return np.concatenate([boxes_N42.min(1), boxes_N42.max(1)], 1)


def overlaps(bounds_N4: np.ndarray, one_4: np.ndarray) -> np.ndarray:
    """Pixels that each upright box shares with one."""
    low, high = np.maximum(bounds_N4[:, :2], one_4[:2]), np.minimum(bounds_N4[:, 2:], one_4[2:])
    return np.clip(high - low, 0, None).prod(1)


def without_doubles(found: Found, most: float = 0.5) -> Found:
    """Best first; what shares more than `most` of the smaller one's area with a better one is left out."""
    order = np.argsort(-found.scores_N, kind="stable")
    around = bounds(found.boxes_N42)
    kept: list[int] = []
    for row in order.tolist():
        near = np.array(kept, np.int64)[overlaps(around[kept], around[row]) > 0]
        if all(_shared(found.boxes_N42[row], found.boxes_N42[other]) <= most for other in near):
            kept.append(row)
    return found.take(np.array(sorted(kept), np.int64))


def _shared(one_42: np.ndarray, other_42: np.ndarray) -> float:
    """Common area by that of the smaller one."""
    common, _ = cv2.intersectConvexConvex(one_42.astype(np.float32), other_42.astype(np.float32))
    return common / max(1e-6, min(cv2.contourArea(one_42), cv2.contourArea(other_42)))
