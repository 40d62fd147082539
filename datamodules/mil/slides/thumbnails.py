"""Small pictures of whole slides, read in strips so that memory does not grow with the slide, and drawings upon them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from datamodules.mil.slides.contours import COLOURS, Region
from datamodules.mil.slides.slide import Slide
from datamodules.mil.slides.tiling import TileGrid

__all__ = ["draw_regions", "draw_tiles", "encode_jpeg", "thumbnail"]

STRIP = 1 << 22  # pixels read at once: what fits the caches is faster than more


def thumbnail(slide: Slide, factor: float, workers: int = 1) -> np.ndarray:
    """uint8 (H,W,3): the slide shrunk `factor` times, from the coarsest level that is still finer, by area."""
    width, height = (max(1, round(side / factor)) for side in slide.size)
    level = max((i for i, down in enumerate(slide.downsamples) if down <= factor * 1.02), default=0)
    wide, high = slide.levels[level]
    rows = max(1, int(STRIP / wide * height / high))  # of the result, a strip
    down = slide.size[1] / high

    def strip(top: int) -> np.ndarray:
        bottom = min(height, top + rows)
        first, last = round(top * high / height), max(round(bottom * high / height), round(top * high / height) + 1)
        pixels = slide.read(0, first * down, level, wide, last - first)
        how = cv2.INTER_AREA if wide >= width else cv2.INTER_LINEAR
        return cv2.resize(pixels, (width, bottom - top), interpolation=how)

    tops = range(0, height, rows)
    if workers == 1 or len(tops) == 1:
        return np.concatenate([strip(top) for top in tops])
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(strip, tops)))


def draw_regions(rgb: np.ndarray, regions: Sequence[Region], size: tuple[int, int]) -> np.ndarray:
    """A copy with the regions' outlines; holes in a second colour."""
    drawn = rgb.copy()
    scale = np.array([rgb.shape[1] / size[0], rgb.shape[0] / size[1]])
    thick = max(1, round(max(rgb.shape) / 600))
    for region in regions:
        for ring, colour in ((region.outer, COLOURS.get(region.kind, [128] * 3)), *((hole, [230, 140, 0]) for hole in region.holes)):
            cv2.polylines(drawn, [np.rint(ring * scale - 0.5).astype(np.int32)], True, colour, thick, cv2.LINE_AA)
    return drawn


def draw_tiles(rgb: np.ndarray, grid: TileGrid) -> np.ndarray:
    """A copy with the tiles' borders."""
    drawn = rgb.copy()
    scale = np.array([rgb.shape[1] / grid.size[0], rgb.shape[0] / grid.size[1]])
    corners = np.rint(np.stack([grid.coords, grid.coords + grid.side0], 1) * scale).astype(int)
    for (left, top), (right, bottom) in corners:
        cv2.rectangle(drawn, (int(left), int(top)), (int(right) - 1, int(bottom) - 1), (20, 20, 20), 1)
    return drawn


def encode_jpeg(rgb: np.ndarray, quality: int = 85) -> bytes:
    return cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
