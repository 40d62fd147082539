"""Where the tiles of a slide lie: a grid anchored at (0, 0), sized by true micrometres, kept where there is tissue.

Coordinates are the tiles' top-left corners in pixels of level 0, int64, row by row.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.contours import Region, rasterise
from datamodules.mil.slides.mpp import Resolution
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import Slide
from datamodules.pictures import MAX_PIXELS

__all__ = ["MASK_MPP", "TileGrid", "TileRule", "magnification", "plan_tiles", "region_share"]

MASK_MPP = 8.0  # um per pixel of the mask that tiles are counted on
TARGET_MPP = 0.5
MAX_PLACES = 20_000_000  # of a grid, before tissue is looked for


@dataclass(frozen=True)
class TileRule:
    px: int = 256  # side of a tile as the encoder sees it
    mpp: float | None = None  # um per pixel of such a tile; None: 0.5, unless nominal_mag says it
    overlap: int = 0  # pixels of such a tile
    tolerance: float = 0.02  # by how much a level may be coarser than asked for
    min_tissue: float = 0.25  # share of a tile
    max_pen: float = 0.5
    allow_upsample: bool = False
    nominal_mag: int | None = None  # parity with tools that round mpp to a magnification and count pixels by it

    def __post_init__(self) -> None:
        if self.px < 1 or not 0 <= self.overlap < self.px:
            raise DataError(f"tiles of {self.px} px cannot overlap by {self.overlap}; give an overlap of 0 or more, below px")
        if self.nominal_mag is not None and self.mpp is not None:
            raise DataError("give a target mpp or a nominal magnification, not both")
        if self.nominal_mag is not None and self.nominal_mag < 1:
            raise DataError(f"nominal magnification {self.nominal_mag} is no objective; give 5, 10, 20 or 40")
        if self.mpp is not None and not self.mpp > 0:
            raise DataError(f"target mpp {self.mpp} is no um per pixel; give a number above 0")
        if not 0 <= self.min_tissue <= 1 or not 0 <= self.max_pen <= 1 or not 0 <= self.tolerance < 1:
            raise DataError(
                f"min_tissue={self.min_tissue}, max_pen={self.max_pen} and tolerance={self.tolerance} are shares; give numbers from 0 to 1"
            )


@dataclass
class TileGrid:
    coords: np.ndarray  # int64 (N,2)
    tissue: np.ndarray  # float32 (N,) share of each tile
    pen: np.ndarray  # float32 (N,)
    side0: tuple[int, int]  # width, height of a tile in pixels of level 0
    step0: tuple[int, int]
    level: int  # that tiles are read from
    side: tuple[int, int]  # their size there, before they are resized to px
    px: int
    overlap: int
    mpp: tuple[float, float]  # of level 0
    target_mpp: float
    size: tuple[int, int]  # of level 0
    pen_dropped: int = 0  # tiles with tissue that a pen covers

    def __len__(self) -> int:
        return len(self.coords)


def magnification(mpp: float) -> int:
    """The objective that an mpp is rounded to by tools that think in magnifications."""
    for limit, power in ((0.16, 80), (0.2, 60), (0.3, 40), (0.6, 20), (1.2, 10), (2.4, 5)):
        if mpp < limit:
            return power
    raise SlideError(f"{mpp:g} um per pixel is coarser than 5x, the lowest magnification that has a name; tile by mpp")


def plan_tiles(slide: Slide, mpp: Resolution, regions: Sequence[Region], rule: TileRule = TileRule()) -> TileGrid:
    """The grid over the tissue among `regions`; `Pen` regions are counted as pen."""
    per_x, per_y = (mpp.mean, mpp.mean) if mpp.square else (mpp.x, mpp.y)
    if rule.nominal_mag is None:
        target = rule.mpp or TARGET_MPP
        factors = (target / per_x, target / per_y)
        side0 = (_whole(rule.px * factors[0]), _whole(rule.px * factors[1]))
        step0 = (_whole((rule.px - rule.overlap) * factors[0]), _whole((rule.px - rule.overlap) * factors[1]))
    else:
        power = magnification(mpp.mean)
        target = mpp.mean * power / rule.nominal_mag
        factors = (power / rule.nominal_mag, power / rule.nominal_mag)
        length = rule.px * power // rule.nominal_mag
        step = length - rule.overlap * power // rule.nominal_mag
        side0, step0 = (length, length), (step, step)
    factor = min(factors)
    if factor < 1 - rule.tolerance and not rule.allow_upsample:
        raise SlideError(
            f"{slide.path}: has {max(per_x, per_y):g} um per pixel, coarser than the {target:g} asked for; ask for more or allow upsampling"
        )
    level = max((i for i, down in enumerate(slide.downsamples) if down <= factor * (1 + rule.tolerance)), default=0)
    side0 = (max(1, side0[0]), max(1, side0[1]))
    side = (max(1, _whole(side0[0] / slide.downsamples[level])), max(1, _whole(side0[1] / slide.downsamples[level])))
    if side[0] * side[1] > MAX_PIXELS:
        raise SlideError(
            f"{slide.path}: a tile is {side[0]} x {side[1]} pixels of the slide's coarsest fitting level, more than {MAX_PIXELS:,}; "
            "ask for finer or smaller tiles"
        )
    step0 = (max(1, step0[0]), max(1, step0[1]))
    if slide.size[0] // step0[0] * (slide.size[1] // step0[1]) > MAX_PLACES:
        raise SlideError(f"{slide.path}: more than {MAX_PLACES:,} places for tiles, {step0[0]} pixels apart; ask for less overlap")
    xs, ys = (np.arange(0, size - length + 1, step) for size, length, step in zip(slide.size, side0, step0, strict=True))
    coords = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2).astype(np.int64)
    shape = mask_shape(slide.size, mpp)
    tissue = region_share(coords, side0, slide.size, rasterise(regions, slide.size, shape))
    pen = region_share(coords, side0, slide.size, rasterise(regions, slide.size, shape, "Pen"))
    enough = (tissue >= rule.min_tissue) & (tissue > 0)
    kept = enough & (pen <= rule.max_pen)
    return TileGrid(
        coords=coords[kept],
        tissue=tissue[kept],
        pen=pen[kept],
        side0=side0,
        step0=step0,
        level=level,
        side=side,
        px=rule.px,
        overlap=rule.overlap,
        mpp=(per_x, per_y),
        target_mpp=target,
        size=slide.size,
        pen_dropped=int((enough & ~kept).sum()),
    )


def mask_shape(size: tuple[int, int], mpp: Resolution) -> tuple[int, int]:
    """(height,width) of the mask at about 8 um a pixel; a tiny slide still gets a few pixels."""
    return max(1, math.ceil(size[1] * mpp.y / MASK_MPP)), max(1, math.ceil(size[0] * mpp.x / MASK_MPP))


def region_share(coords: np.ndarray, side0: tuple[int, int], size: tuple[int, int], mask: np.ndarray) -> np.ndarray:
    """float32 (N,): the share of each tile that the 0/1 mask over the whole slide covers, exactly, also between its pixels."""
    total = cv2.integral(mask, sdepth=cv2.CV_64F)
    scale = np.array([mask.shape[1] / size[0], mask.shape[0] / size[1]])
    low, high = coords * scale, (coords + side0) * scale
    covered = (
        _between(total, high[:, 0], high[:, 1])
        - _between(total, low[:, 0], high[:, 1])
        - _between(total, high[:, 0], low[:, 1])
        + _between(total, low[:, 0], low[:, 1])
    )
    return np.clip(covered / np.prod(np.array(side0) * scale), 0, 1).astype(np.float32)


def _between(total: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The integral image between its points: bilinear is exact, for the mask is constant within a pixel."""
    x, y = np.clip(x, 0, total.shape[1] - 1), np.clip(y, 0, total.shape[0] - 1)
    left = np.minimum(x.astype(np.int64), max(total.shape[1] - 2, 0))
    top = np.minimum(y.astype(np.int64), max(total.shape[0] - 2, 0))
    u, v = x - left, y - top
    upper = total[top, left] * (1 - u) + total[top, left + 1] * u
    lower = total[top + 1, left] * (1 - u) + total[top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


def _whole(value: float) -> int:
    """Rounded half up, not to even: 0.5 is 1."""
    return math.floor(value + 0.5)
