"""Any part of a slide at any size, in bounded memory."""

import cv2
import numpy as np

from datamodules.mil.slides.slide import Slide

__all__ = ["read_scaled"]

MOST = 1 << 24  # pixels read at once


def read_scaled(slide: Slide, box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """uint8 (height,width,3) of `size` (width,height): the part (left, top, right, bottom) in pixels of level 0, which may be fractions.

    From the coarsest level that is still finer, shrunk by area; what is too large to be read at once is read in parts.
    """
    left, top, right, bottom = box
    wide, high = size
    factor = min((right - left) / wide, (bottom - top) / high)
    level = max((i for i, down in enumerate(slide.downsamples) if down <= factor * 1.02), default=0)
    down = slide.downsamples[level]
    width, height = max(1, round((right - left) / down)), max(1, round((bottom - top) / down))
    if width * height > MOST and max(size) > 1:
        along = 0 if wide >= high else 1
        half = size[along] // 2
        cut = box[along] + (box[along + 2] - box[along]) * half / size[along]
        if along == 0:
            parts = (
                read_scaled(slide, (left, top, cut, bottom), (half, high)),
                read_scaled(slide, (cut, top, right, bottom), (wide - half, high)),
            )
        else:
            parts = (
                read_scaled(slide, (left, top, right, cut), (wide, half)),
                read_scaled(slide, (left, cut, right, bottom), (wide, high - half)),
            )
        return np.concatenate(parts, 1 - along)
    pixels = slide.read(left, top, level, width, height)
    if (width, height) == size:
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if width >= wide else cv2.INTER_LINEAR)
