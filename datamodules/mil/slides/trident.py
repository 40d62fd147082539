"""TRIDENT's files: <mag>x_<px>px_<overlap>px_overlap/patches/<slide>_patches.h5 and .../features_<encoder>/<slide>.h5.

Sizes are what was really cut, by true mpp; the magnifications beside them are rounded as TRIDENT rounds them. Two more
attributes, mpp_level0 and mpp_target, hold the true values; its reader passes over them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mil.slides.features import SlideFeatures, checked
from datamodules.mil.slides.h5 import attributes, numbers, read_h5, write_h5
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.tiling import TileGrid, magnification

__all__ = ["grid_attributes", "grid_folder", "read_features", "read_patches", "write_features", "write_patches"]


def grid_folder(target_mpp: float, px: int, overlap: int) -> str:
    return f"{magnification(target_mpp)}x_{px}px_{overlap}px_overlap"


def grid_attributes(grid: TileGrid, name: str, folder: Path) -> dict[str, Any]:
    """The attributes of `coords`."""
    if grid.side0[0] != grid.side0[1]:
        raise SlideError(f"{name}: TRIDENT's files hold square tiles only, these are {grid.side0[0]} x {grid.side0[1]}; use another layout")
    return {
        "patch_size": grid.px,
        "patch_size_level0": grid.side0[0],
        "level0_magnification": magnification(sum(grid.mpp) / 2),
        "target_magnification": magnification(grid.target_mpp),
        "overlap": grid.overlap,
        "name": name,
        "savetodir": str(folder),
        "level0_width": grid.size[0],
        "level0_height": grid.size[1],
        "mpp_level0": sum(grid.mpp) / 2,
        "mpp_target": grid.target_mpp,
    }


def write_patches(folder: Path, grid: TileGrid, name: str) -> Path:
    """patches/<slide>_patches.h5 under `folder`, which is the grid's; a slide without tiles has an empty one."""
    path = folder / "patches" / f"{name}_patches.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_h5(path) as file:
        coords = file.create_dataset("coords", data=grid.coords.astype(np.int64), maxshape=(None, 2), chunks=(1, 2))
        _describe(coords, grid_attributes(grid, name, folder))
    return path


def read_patches(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    with read_h5(path) as file:
        return numbers(file, "coords", path).astype(np.int64), attributes(file["coords"])


def write_features(folder: Path, bag: SlideFeatures) -> Path:
    """features_<encoder>/<slide>.h5 under `folder`. `bag.about` holds `encoder` and, under `coords`, the grid's attributes."""
    if bag.coords is None:
        raise SlideError(f"{bag.name}: TRIDENT's files hold coordinates, and these features have none; use another layout")
    encoder = str(bag.about.get("encoder", "unknown"))
    path = folder / f"features_{encoder}" / f"{bag.name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    features = bag.features if len(bag.features) else bag.features.astype(np.float32)
    with write_h5(path) as file:
        stored = file.create_dataset("features", data=features)
        _describe(stored, {"name": bag.name, "savetodir": str(path.parent), "encoder": encoder})
        _describe(file.create_dataset("coords", data=bag.coords.astype(np.int64)), bag.about.get("coords", {}))
    return path


def read_features(path: Path) -> SlideFeatures:
    with read_h5(path) as file:
        features = numbers(file, "features", path)
        coords = numbers(file, "coords", path).astype(np.int64) if "coords" in file else None
        about = attributes(file["features"]) | ({} if coords is None else {"coords": attributes(file["coords"])})
        return checked(SlideFeatures(path.stem, features, coords, about), path)


def _describe(dataset: Any, values: dict[str, Any]) -> None:
    """None as the text 'None', nested values as JSON, as TRIDENT does."""
    for key, value in values.items():
        dataset.attrs[key] = "None" if value is None else json.dumps(value) if isinstance(value, dict) else value
