"""Words cut out of photographs: by an upright box, or by four corners and made straight."""

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.otsnet.table import Quad

__all__ = ["SMALLEST", "box_quad", "crop", "into_crop", "quad_problem", "quad_size"]

SMALLEST = 2  # pixels of a side
LARGEST = 20_000


def box_quad(x: float, y: float, width: float, height: float) -> Quad:
    """The corners of an upright box."""
    return (x, y, x + width, y, x + width, y + height, x, y + height)


def quad_problem(quad: Quad) -> str | None:
    """What is wrong with four corners, if anything."""
    if not all(abs(value) < 1e6 for value in quad):  # NaN compares false
        return "its corners are no numbers of a picture"
    width, height = quad_size(quad)
    points = np.array(quad).reshape(4, 2)
    following = np.roll(points, -1, 0)
    area = abs(float((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum())) / 2
    if min(width, height) < SMALLEST or max(width, height) > LARGEST or area < SMALLEST:
        return f"its corners enclose {width} x {height} pixels"
    return None


def quad_size(quad: Quad) -> tuple[int, int]:
    """(width, height) of the straightened word: the longer one of each pair of sides."""
    a, b, c, d = np.array(quad, np.float64).reshape(4, 2)
    width = max(np.linalg.norm(b - a), np.linalg.norm(c - d))
    height = max(np.linalg.norm(d - a), np.linalg.norm(c - b))
    return round(float(width)), round(float(height))


def crop(picture: np.ndarray, quad: Quad, name: str) -> np.ndarray:
    """The word of a uint8 (H,W,3) photograph. An upright box is cut as it is, without what lies over the border."""
    x0, y0, x1, y1, x2, y2, x3, y3 = quad
    if x0 == x3 and x1 == x2 and y0 == y1 and y2 == y3 and x0 < x1 and y0 < y2:
        height, width = picture.shape[:2]
        left, right = (min(max(0, round(x)), width) for x in (x0, x1))
        top, bottom = (min(max(0, round(y)), height) for y in (y0, y2))
        if right <= left or bottom <= top:
            raise DataError(f"{name}: the box {left}..{right} x {top}..{bottom} lies outside the picture; correct or remove it")
        return np.ascontiguousarray(picture[top:bottom, left:right])
    width, height = quad_size(quad)
    return cv2.warpPerspective(picture, _matrix(quad), (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def into_crop(points: np.ndarray, quad: Quad) -> np.ndarray:
    """(..., 2) points of the photograph as points of the straightened word."""
    flat = np.asarray(points, np.float64).reshape(-1, 1, 2)
    return cv2.perspectiveTransform(flat, _matrix(quad)).reshape(np.shape(points))


def _matrix(quad: Quad) -> np.ndarray:
    width, height = quad_size(quad)
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    return cv2.getPerspectiveTransform(np.array(quad, np.float32).reshape(4, 2), target)
