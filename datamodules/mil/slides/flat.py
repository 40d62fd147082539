"""Regions of levels whose pixels are addressed in their own frame: for the readers that are ours."""

import numpy as np

from datamodules.mil.slides.slide import Slide

__all__ = ["FlatSlide"]


class FlatSlide(Slide):
    def read(self, x: float, y: float, level: int, width: int, height: int) -> np.ndarray:
        left, top = (round(place / self.downsamples[level]) for place in (x, y))
        wide, high = self.levels[level]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, wide), min(top + height, high)
        if (x0, y0, x1, y1) == (left, top, left + width, top + height):
            return self._pixels(level, x0, y0, x1, y1)
        region = np.full((height, width, 3), 255, np.uint8)
        if x0 < x1 and y0 < y1:
            region[y0 - top : y1 - top, x0 - left : x1 - left] = self._pixels(level, x0, y0, x1, y1)
        return region

    def _pixels(self, level: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        """uint8 (y1-y0, x1-x0, 3) of a window that lies inside the level."""
        raise NotImplementedError
