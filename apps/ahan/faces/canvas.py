"""A photograph as a detector's network takes it: scaled to fit, in the upper left corner, black beyond."""

import cv2
import numpy as np

__all__ = ["canvas"]

LONGEST, STEP = 640, 32  # where height and width are free: pixels of the longer side, and what both are a multiple of


def canvas(image: np.ndarray, size: tuple[int, int] | None) -> tuple[np.ndarray, float]:
    """(uint8 (h,w,3), how many of its pixels one of the photograph is). size: (width, height), or None where they are free."""
    high, wide = image.shape[:2]
    if size is None:
        by = min(1.0, LONGEST / max(high, wide))
        size = (-(-round(wide * by) // STEP) * STEP or STEP, -(-round(high * by) // STEP) * STEP or STEP)
    else:
        by = min(size[0] / wide, size[1] / high)
    inner = (max(1, min(size[0], round(wide * by))), max(1, min(size[1], round(high * by))))
    empty = np.zeros((size[1], size[0], 3), np.uint8)
    empty[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR)
    return empty, by
