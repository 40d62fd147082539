"""Slides of the scanners' makers, through OpenSlide. Its associated images (label, macro) are never asked for."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datamodules.mil.slides.problems import SlideUnreadableError, need
from datamodules.mil.slides.slide import Slide

__all__ = ["OpenSlideSlide", "understands"]

OPAQUE = int(np.array([0, 0, 0, 255], np.uint8).view(np.uint32)[0])  # the least pixel whose last byte is 255


def understands(path: Path) -> bool:
    return need("openslide").OpenSlide.detect_format(str(path)) is not None


class OpenSlideSlide(Slide):
    def __init__(self, path: Path) -> None:
        self._module: Any = need("openslide")
        self._path = path
        self._handle: Any = self._open()
        super().__init__(path, list(self._handle.level_dimensions), dict(self._handle.properties))
        self.downsamples = list(self._handle.level_downsamples)
        self.vendor = self.properties.get("openslide.vendor", "")

    def read(self, x: float, y: float, level: int, width: int, height: int) -> np.ndarray:
        if self._handle is None:
            self._handle = self._open()
        try:
            rgba = np.ascontiguousarray(self._handle.read_region((round(x), round(y)), level, (width, height)))
        except self._module.OpenSlideError as error:
            self.close()  # after an error a handle refuses everything: the next read opens a new one
            raise SlideUnreadableError(
                f"{self._path}: damaged at x={round(x)}, y={round(y)}, level {level} ({error}); copy the file again"
            ) from None
        if rgba.view(np.uint32).min() >= OPAQUE:
            return cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB)
        # outside the scan alpha is 0 and the colour black: white is what glass looks like
        weight = rgba[:, :, 3:].astype(np.uint16)
        return ((rgba[:, :, :3] * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _open(self) -> Any:
        try:
            return self._module.OpenSlide(str(self._path))
        except self._module.OpenSlideError as error:
            raise SlideUnreadableError(f"{self._path}: {error}; copy the file again") from None
