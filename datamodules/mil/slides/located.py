"""Features with the place of each tile on its slide, from whichever files hold them: ours, CLAM's, TRIDENT's, plain arrays.

Some layouts keep coordinates elsewhere, and CLAM's feature files say no size of tiles: then a second file, or a number, must.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.features import SlideFeatures
from datamodules.mil.slides.h5 import attributes, numbers, read_h5
from datamodules.mil.slides.problems import SlideError

__all__ = ["Located", "read_located"]


@dataclass
class Located:
    name: str
    features: np.ndarray  # float (N,F)
    coords: np.ndarray  # int64 (N,2), upper left, level 0
    side0: tuple[int, int]  # width, height of a tile in pixels of level 0
    size: tuple[int, int]  # of level 0; without better knowledge what the tiles reach
    about: dict[str, Any]  # what the file says of itself


def read_located(path: Path, coords: Path | None = None, side: int | None = None) -> Located:
    """`coords`: a file of tiles (ours, CLAM's or TRIDENT's patches), where `path` has none. `side`: of a tile, where no file says it."""
    bag = _features(path)
    found, side0, size = bag.coords, None, None
    if found is not None:
        side0, size = _extent(bag.about)
    if coords is not None:
        other, side0, size = _coords(coords)
        if found is not None and (len(found) != len(other) or (found != other).any()):
            raise SlideError(f"{path}: has coordinates of its own, and {coords} has others; leave --coords out")
        found = other
    if found is None:
        raise SlideError(f"{path}: has no coordinates; give the file that has them with --coords")
    if len(found) != len(bag.features):
        raise SlideError(
            f"{path}: {len(bag.features)} features, but {len(found)} coordinates in {coords}; name the coordinates of this slide and job"
        )
    if side is not None:
        if side0 is not None and side0 != (side, side):
            raise SlideError(f"{coords or path}: tiles are {side0[0]} x {side0[1]} pixels of level 0, not {side}; leave --side out")
        side0 = (side, side)
    if side0 is None:
        raise SlideError(f"{coords or path}: does not say how many pixels of level 0 a tile is wide; give --side")
    if len(found) == 0:
        raise SlideError(f"{path}: EmptyBag: has no tiles; leave it out")
    reach = found.max(0) + np.array(side0)
    return Located(bag.name, bag.features, found, side0, size or (int(reach[0]), int(reach[1])), bag.about)


def _features(path: Path) -> SlideFeatures:
    if path.suffix == ".safetensors":
        return native.read_features(path)
    if path.suffix == ".h5":
        return trident.read_features(path)  # CLAM's have the same datasets
    if path.suffix == ".pt":
        return clam.read_pt(path)
    from datamodules.mil.reader import read_bag, read_coords

    features = read_bag(path)
    return SlideFeatures(path.stem, features, read_coords(path))


def _coords(path: Path) -> tuple[np.ndarray, tuple[int, int] | None, tuple[int, int] | None]:
    if path.suffix == ".safetensors":
        grid = native.read_grid(path)
        return grid.coords, grid.side0, grid.size
    if path.suffix != ".h5":
        raise SlideError(f"{path}: holds no coordinates that can be read; name tiles/<slide>.safetensors or a patches .h5 file")
    with read_h5(path) as file:
        values, about = numbers(file, "coords", path).astype(np.int64), attributes(file["coords"])
    if values.ndim != 2 or values.shape[1] != 2:
        raise SlideError(f"{path}: coordinates are {values.shape}, not (N, 2); write it again")
    return values, *_extent({"coords": about})


def _extent(about: dict[str, Any]) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """(a tile's width and height, the slide's) in pixels of level 0, as far as the file says them."""
    coords = about.get("coords") or {}
    size = None
    if coords.get("level0_width") and coords.get("level0_height"):
        size = int(coords["level0_width"]), int(coords["level0_height"])
    if about.get("side0"):
        return (int(about["side0"][0]), int(about["side0"][1])), size
    if coords.get("patch_size_level0"):
        length = int(coords["patch_size_level0"])
        return (length, length), size
    if coords.get("patch_size") and coords.get("downsample") is not None:  # CLAM: pixels of the level that was read
        down = coords["downsample"]
        factor = coords.get("custom_downsample") or 1
        across, along = down if isinstance(down, list) else (down, down)
        return (round(coords["patch_size"] * across * factor), round(coords["patch_size"] * along * factor)), size
    return None, size
