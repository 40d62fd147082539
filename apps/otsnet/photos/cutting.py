"""The words of a photograph as pictures of their own: upright boxes cut, others made straight by perspective.

Shapes: N words, 4 corners, 2 x and y in pixels of the picture.
"""

from typing import NamedTuple

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.otsnet.crops import crop, quad_problem
from datamodules.otsnet.table import Quad

__all__ = ["Cut", "cut", "from_crop"]


class Cut(NamedTuple):
    picture: np.ndarray | None  # uint8 (h,w,3); None: it could not be cut
    corners_42: np.ndarray  # float32, where the corners of that picture lie in the photograph
    problem: str | None = None  # why there is none


def cut(picture: np.ndarray, boxes_N42: np.ndarray, margin: float = 0.0) -> list[Cut]:
    """One for each box, in their order. margin: share of a word's height that is added on every side."""
    return [_one(picture, np.asarray(box_42, np.float64), margin) for box_42 in boxes_N42]


def from_crop(points: np.ndarray, corners_42: np.ndarray) -> np.ndarray:
    """(..., 2) points in 0..1 of a cut word as points of the photograph."""
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, np.asarray(corners_42, np.float32))
    return cv2.perspectiveTransform(np.asarray(points, np.float64).reshape(-1, 1, 2), matrix).reshape(np.shape(points))


def _one(picture: np.ndarray, box_42: np.ndarray, margin: float) -> Cut:
    if problem := _problem(picture, box_42):
        return Cut(None, box_42.astype(np.float32), problem)
    box_42 = _inside(picture, _widened(box_42, margin))
    try:
        return Cut(crop(picture, _quad(box_42), "box"), box_42.astype(np.float32))
    except DataError as error:
        return Cut(None, box_42.astype(np.float32), str(error).removeprefix("box: "))


def _problem(picture: np.ndarray, box_42: np.ndarray) -> str | None:
    """Of the box as it is given: with a margin one beside the picture would show its edge."""
    high, wide = picture.shape[:2]
    (x0, y0), (x1, y1) = box_42.min(0), box_42.max(0)
    if x1 <= 0 or y1 <= 0 or x0 >= wide or y0 >= high:
        return f"the box lies outside the picture of {wide} x {high}"
    return quad_problem(_quad(_inside(picture, box_42)))


def _inside(picture: np.ndarray, box_42: np.ndarray) -> np.ndarray:
    """An upright box in whole pixels, and none beside the picture; others as they are."""
    high, wide = picture.shape[:2]
    (x0, y0), (x1, y1) = box_42.min(0), box_42.max(0)
    if not np.array_equal(box_42, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]):
        return box_42
    x0, x1, y0, y1 = (*(min(max(0, round(x)), wide) for x in (x0, x1)), *(min(max(0, round(y)), high) for y in (y0, y1)))
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)


def _widened(box_42: np.ndarray, margin: float) -> np.ndarray:
    if not margin:
        return box_42
    a, b, c, d = box_42
    along, down = b - a + c - d, d - a + c - b
    by = margin * float(np.linalg.norm(down)) / 2
    along, down = (by * way / max(1e-6, float(np.linalg.norm(way))) for way in (along, down))
    return np.stack([a - along - down, b + along - down, c + along + down, d - along + down])


def _quad(box_42: np.ndarray) -> Quad:
    a, b, c, d, e, f, g, h = (float(value) for value in box_42.reshape(-1))
    return a, b, c, d, e, f, g, h
