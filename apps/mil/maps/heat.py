"""From scores of tiles to a coloured layer over a slide: averaged where tiles overlap, nothing where there is no tile or no tissue.

Shapes: N tiles, H and W pixels of the layer.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

__all__ = ["SCALES", "SCORES", "Score", "colour_table", "coloured", "encode_png", "heat", "percentile"]

Scale = Literal["percentile", "value"]
SCALES = ("percentile", "value")
SCORES = ("attention", "instance", "leave-one-out")
MAP = "cividis"  # the same to eyes of any colour vision, and blue to yellow stays apart from the pink of a stained slide


@dataclass
class Score:
    """One number a tile, and how it is shown."""

    name: str  # one of SCORES
    words: str  # for the legend
    values: np.ndarray  # float (N,)
    scale: Scale

    @property
    def shown(self) -> np.ndarray:
        """float (N,): what the colours stand for."""
        return percentile(self.values) if self.scale == "percentile" else self.values

    @property
    def limits(self) -> tuple[float, float]:
        """Values of the first and the last colour. A probability's are 0 and 1, whatever this slide has."""
        if self.scale == "percentile":
            return 0.0, 100.0
        if self.name == "instance":
            return 0.0, 1.0
        low, high = float(self.values.min()), float(self.values.max())
        return (low, high) if high > low else (low - 0.5, low + 0.5)

    @property
    def unit(self) -> str:
        if self.scale == "percentile":
            return "percentile within this slide"
        return {"attention": "share of the slide's attention", "instance": "probability", "leave-one-out": "loss of probability"}[self.name]


def percentile(values_N: np.ndarray) -> np.ndarray:
    """Rank / N * 100, equal values share their mean rank: the largest has 100 (if alone), all equal ones about 50."""
    _, inverse, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse] / max(1, len(values_N)) * 100


def heat(
    values_N: np.ndarray, coords: np.ndarray, side0: tuple[int, int], size: tuple[int, int], shape: tuple[int, int],
    tissue: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """float32 (H,W) of `shape`, over a slide of `size` (width,height) pixels; NaN where nothing is shown. `tissue`: 0/1 (H,W)."""
    high, wide = shape
    scale = np.array([wide / size[0], high / size[1]])
    low = np.rint(coords * scale).astype(np.int64)
    end = np.maximum(np.rint((coords + side0) * scale).astype(np.int64), low + 1)
    low, end = np.clip(low, 0, [wide, high]), np.clip(end, 0, [wide, high])
    total, count = _piled(values_N, low, end, shape), _piled(np.ones(len(values_N)), low, end, shape)
    covered = count > 0.5
    if tissue is not None:
        covered &= tissue > 0
    return np.where(covered, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _piled(values_N: np.ndarray, low: np.ndarray, end: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The sum of rectangles, by differences at their corners: the cost does not grow with the tiles' size."""
    corners = np.zeros((shape[0] + 1, shape[1] + 1))
    for x, y, sign in ((low, low, 1), (end, low, -1), (low, end, -1), (end, end, 1)):
        np.add.at(corners, (y[:, 1], x[:, 0]), sign * values_N)
    return corners.cumsum(0).cumsum(1)[:-1, :-1]


def coloured(heat_HW: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """uint8 (H,W,4): transparent where there is nothing."""
    low, high = limits
    place = np.nan_to_num((heat_HW - low) / (high - low), nan=0.0).clip(0, 1)
    rgb = colour_table()[np.rint(place * 255).astype(np.uint8)]
    return np.dstack([rgb, np.where(np.isnan(heat_HW), 0, 255).astype(np.uint8)])


def colour_table() -> np.ndarray:
    """uint8 (256,3)."""
    from matplotlib import colormaps

    return np.rint(colormaps[MAP](np.arange(256))[:, :3] * 255).astype(np.uint8)


def encode_png(rgba: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))[1].tobytes()
