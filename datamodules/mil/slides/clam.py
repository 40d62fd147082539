"""CLAM's files: patches/<slide>.h5 (coordinates), FEATS/h5_files/<slide>.h5 and FEATS/pt_files/<slide>.pt (features), process list.

Coordinates are level-0 top-left corners (x, y). Patches: int64, with attributes; features: float32 with int32 coordinates and none.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.features import SlideFeatures, checked
from datamodules.mil.slides.h5 import attributes, numbers, read_h5, write_h5
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import Slide
from datamodules.mil.slides.tiling import TileGrid
from datamodules.mil.slides.tissue import Preset
from datamodules.mil.tensor_file import read_tensor
from datamodules.whole import write_whole

__all__ = ["read_features", "read_patches", "read_pt", "write_features", "write_patches", "write_process_list"]

CHUNK = 32
PRESET_COLUMNS = (
    "seg_level", "sthresh", "mthresh", "close", "use_otsu", "a_t", "a_h", "max_n_holes", "vis_level", "line_thickness", "white_thresh",
    "black_thresh", "use_padding", "contour_fn", "keep_ids", "exclude_ids",
)  # fmt: skip


def write_patches(folder: Path, slide: Slide, grid: TileGrid) -> Path | None:
    """patches/<slide>.h5 under `folder`; no file at all when there is no tile, as CLAM has it."""
    if grid.side[0] != grid.side[1]:
        raise SlideError(
            f"{slide.name}: CLAM's files hold square tiles only, these are {grid.side[0]} x {grid.side[1]}; use another layout"
        )
    if len(grid) == 0:
        return None
    path = folder / "patches" / f"{slide.name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    down = (slide.size[0] / slide.levels[grid.level][0], slide.size[1] / slide.levels[grid.level][1])
    with write_h5(path) as file:
        coords = _resizable(file, "coords", grid.coords.astype(np.int64))
        coords.attrs["patch_size"] = grid.side[0]
        coords.attrs["patch_level"] = grid.level
        coords.attrs["downsample"] = np.array(down, np.float64)
        coords.attrs["downsampled_level_dim"] = np.array(slide.levels[grid.level], np.int64)
        coords.attrs["level_dim"] = np.array(slide.levels[grid.level], np.int64)
        coords.attrs["name"] = slide.name
        coords.attrs["save_path"] = str(path.parent)
    return path


def read_patches(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(coords int64 (N,2), attributes); older files carry custom_downsample, which is 1 where it is missing."""
    with read_h5(path) as file:
        coords = numbers(file, "coords", path).astype(np.int64)
        return coords, {"custom_downsample": 1, **attributes(file["coords"])}


def write_features(folder: Path, bag: SlideFeatures) -> list[Path]:
    """h5_files/<slide>.h5 and pt_files/<slide>.pt under `folder`, exactly as CLAM's extraction leaves them."""
    import torch

    if bag.coords is None:
        raise SlideError(f"{bag.name}: CLAM's files hold coordinates, and these features have none; use another layout")
    paths = [folder / "h5_files" / f"{bag.name}.h5", folder / "pt_files" / f"{bag.name}.pt"]
    features = np.ascontiguousarray(bag.features, np.float32)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    with write_h5(paths[0]) as file:
        _resizable(file, "features", features)
        _resizable(file, "coords", bag.coords.astype(np.int32))
    buffer = io.BytesIO()
    torch.save(torch.from_numpy(features), buffer)
    with write_whole(paths[1]) as file:
        file.write(buffer.getvalue())
    return paths


def read_features(path: Path) -> SlideFeatures:
    """h5_files/<slide>.h5, of CLAM or one like it: int32 or int64 coordinates, float32 or float16 features."""
    with read_h5(path) as file:
        coords = numbers(file, "coords", path).astype(np.int64) if "coords" in file else None
        return checked(SlideFeatures(path.stem, numbers(file, "features", path), coords), path)


def read_pt(path: Path) -> SlideFeatures:
    """pt_files/<slide>.pt: a tensor (CLAM) or an array (TRIDENT). Nothing in the file is run."""
    try:
        array = read_tensor(path)
    except DataError as error:
        raise SlideError(str(error)) from None
    return checked(SlideFeatures(path.stem, array, None), path)


def write_process_list(folder: Path, rows: Iterable[tuple[str, str]], preset: Preset) -> Path:
    """process_list_autogen.csv from (file name, status: tbp, processed, already_exist or failed_seg)."""
    settings: Mapping[str, Any] = {
        "seg_level": -1, "sthresh": preset.sthresh, "mthresh": preset.mthresh, "close": preset.close, "use_otsu": preset.use_otsu,
        "a_t": preset.a_t, "a_h": preset.a_h, "max_n_holes": preset.max_n_holes, "vis_level": -1, "line_thickness": 250,
        "white_thresh": 5, "black_thresh": 50, "use_padding": False, "contour_fn": "basic", "keep_ids": "none", "exclude_ids": "none",
    }  # fmt: skip
    path = folder / "process_list_autogen.csv"
    with write_whole(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["slide_id", "process", "status", *PRESET_COLUMNS])
        for name, status in rows:
            table.writerow([name, int(status == "tbp"), status, *(settings[column] for column in PRESET_COLUMNS)])
    return path


def _resizable(file: Any, key: str, data: np.ndarray) -> Any:
    return file.create_dataset(key, data=data, maxshape=(None, *data.shape[1:]), chunks=(CHUNK, *data.shape[1:]))
