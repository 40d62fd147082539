"""How a slide looks where it is tiled: in focus or not, and how strongly it is stained."""

from typing import Any

import cv2
import numpy as np

from apps.mil.slides.tile_stats import stains
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import Slide
from datamodules.mil.slides.tiling import TileGrid

__all__ = ["looks"]

SHARP_TILES = 9  # that a slide is judged by


def looks(slide: Slide, grid: TileGrid) -> dict[str, Any]:
    """Focus (variance of the Laplacian, the median of a few tiles) and stain (mean optical density)."""
    chosen = np.unique(np.linspace(0, len(grid) - 1, SHARP_TILES).astype(int))
    sharp, dyes = [], []
    for x, y in grid.coords[chosen].tolist():
        try:
            tile = slide.read(x, y, grid.level, *grid.side)
        except SlideError:
            continue
        sharp.append(cv2.Laplacian(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
        dyes.append(stains(tile[::4, ::4]).mean((0, 1)))
    if not sharp:
        return {}
    hematoxylin, eosin = np.mean(dyes, 0).tolist()
    return {"sharpness": round(float(np.median(sharp)), 1), "hematoxylin": round(hematoxylin, 3), "eosin": round(eosin, 3)}
