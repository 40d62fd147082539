"""A plain picture (JPEG, PNG, ...) as a slide of one level. It says nothing about its resolution: that comes from a CSV."""

from pathlib import Path

import numpy as np

from datamodules.mil.slides.flat import FlatSlide
from datamodules.pictures import read_picture

__all__ = ["PictureSlide"]


class PictureSlide(FlatSlide):
    vendor = "picture"

    def __init__(self, path: Path) -> None:
        self._picture = read_picture(path)
        height, width = self._picture.shape[:2]
        super().__init__(path, [(width, height)], {})

    def close(self) -> None:
        pass

    def _pixels(self, level: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        return self._picture[y0:y1, x0:x1].copy()
