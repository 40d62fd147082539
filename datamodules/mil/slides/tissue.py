"""Where tissue is, on a small picture of a slide: saturation, median, threshold, closing, contours with holes, areas.

The presets are CLAM's; `auto` is ours. Their areas are counted in patches of 512 x 512 pixels of level 0.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.contours import Region
from datamodules.mil.slides.pen import grey_mask, pen_mask

__all__ = ["PRESETS", "Preset", "Tissue", "segment"]


@dataclass(frozen=True)
class Preset:
    """Names and meanings as in CLAM's preset tables."""

    sthresh: int = 8  # saturation from which a pixel is tissue
    mthresh: int = 7  # side of the median filter, odd
    close: int = 4  # side of the closing square; 0: none; an even one moves the mask a pixel to the right and down, with CLAM as here
    use_otsu: bool = False
    a_t: float = 100  # smallest tissue
    a_h: float = 16  # smallest hole
    max_n_holes: int = 8  # a contour, the largest first

    def __post_init__(self) -> None:
        if self.mthresh < 1 or self.mthresh % 2 == 0:
            raise DataError(f"mthresh={self.mthresh} is the side of a median filter; give an odd number of pixels")

    def changed(self, **values: float) -> "Preset":
        known = {field.name for field in fields(self)}
        if wrong := sorted(set(values) - known):
            raise DataError(f"no setting {wrong[0]!r} of tissue; there are {', '.join(sorted(known))}")
        return replace(self, **values)  # type: ignore[arg-type]


PRESETS = {
    # ours: Otsu's threshold, kept inside a range, because on an empty slide it would cut the noise in two. Small pieces count.
    "auto": Preset(mthresh=7, close=5, use_otsu=True, a_t=0.25, a_h=0.25, max_n_holes=32),
    "default": Preset(),
    "bwh_biopsy": Preset(sthresh=15, mthresh=11, close=2, a_t=1, a_h=1, max_n_holes=2),
    "bwh_resection": Preset(sthresh=15, mthresh=11, close=4),
    "tcga": Preset(a_t=16, a_h=4),
    "tcga_nsclc": Preset(max_n_holes=32),
}
OTSU_RANGE = (12, 64)  # of a saturation of 0 to 255


@dataclass
class Tissue:
    regions: list[Region]  # of kind Tissue and, where there is any, Pen
    tissue_share: float  # of the slide, after the area filter
    pen_share: float
    threshold: float


def segment(rgb: np.ndarray, size: tuple[int, int], preset: Preset = PRESETS["auto"], *, pen: bool = True, grey: bool = True) -> Tissue:
    """`rgb` shows a slide of `size` (width,height) pixels. pen, grey: take strokes and colourless dirt for glass."""
    marks = pen_mask(rgb) if pen else np.zeros(rgb.shape[:2], bool)
    dirt = marks | grey_mask(rgb) if grey else marks
    saturation = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[:, :, 1]
    saturation[dirt] = 0
    saturation = cv2.medianBlur(saturation, preset.mthresh)
    threshold = float(preset.sthresh)
    if preset.use_otsu:
        found, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        threshold = float(np.clip(found, *OTSU_RANGE))
    mask = (saturation > threshold).astype(np.uint8)
    if preset.close:
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((preset.close, preset.close), np.uint8))
    mask[marks] = 0  # the median and the closing may have grown into a stroke
    scale = np.array([size[0] / rgb.shape[1], size[1] / rgb.shape[0]])
    unit = 512 * 512 / (scale[0] * scale[1])  # pixels of `rgb` in one patch
    tissue, area = _regions(mask, scale, preset.a_t * unit, preset.a_h * unit, preset.max_n_holes, "Tissue")
    strokes, _ = _regions(marks.astype(np.uint8), scale, 0, 0, 1 << 30, "Pen")
    return Tissue(tissue + strokes, area / mask.size, float(marks.mean()), threshold)


def _regions(mask: np.ndarray, scale: np.ndarray, a_t: float, a_h: float, max_holes: int, kind: str) -> tuple[list[Region], float]:
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    regions, total = [], 0.0
    for number, contour in enumerate(contours):
        if tree[0, number, 3] != -1:
            continue  # a hole: taken with what it lies in
        inside, child = [], tree[0, number, 2]
        while child != -1:
            inside.append(contours[child])
            child = tree[0, child, 0]
        # OpenCV measures between the centres of border pixels: outer contours lose their border, holes gain it
        areas = [cv2.contourArea(hole) - len(hole) / 2 + 1 for hole in inside]
        area = cv2.contourArea(contour) + len(contour) / 2 + 1
        if area - sum(areas) <= a_t:
            continue
        kept = sorted((i for i in range(len(inside)) if areas[i] > a_h), key=lambda i: -areas[i])[:max_holes]
        total += area - sum(areas[i] for i in kept)
        regions.append(Region(_level0(contour, scale), [_level0(inside[i], scale) for i in kept], kind))
    return regions, total


def _level0(contour: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Corner points in whole pixels of level 0; a point on a straight run is left out."""
    points = cv2.approxPolyDP(contour, 0, closed=True)[:, 0]
    return np.rint((points + 0.5) * scale).astype(np.int64)
