"""A slide as a pyramid of small JPEG files that a page without a server can show: <level>/<column>_<row>.jpg, level 0 the finest.

The finest level is read from the slide, a tile at a time; each tile above is made of the four below it. Memory does not grow with
the slide. A pyramid that was broken off goes on where it stopped.
"""

import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.problems import SlideUnreadableError
from datamodules.mil.slides.scaled import read_scaled
from datamodules.mil.slides.slide import Slide
from datamodules.mil.slides.thumbnails import encode_jpeg
from datamodules.whole import write_whole

__all__ = ["SIDE", "Pyramid", "plan_pyramid", "write_pyramid"]

SIDE = 512
MOST = 200_000  # files


@dataclass(frozen=True)
class Pyramid:
    size: tuple[int, int]  # of the slide, level 0
    levels: list[tuple[int, int]]  # (width, height) of each level of the pyramid, the finest first
    side: int = SIDE

    @property
    def files(self) -> int:
        return sum(math.ceil(wide / self.side) * math.ceil(high / self.side) for wide, high in self.levels)


def plan_pyramid(size: tuple[int, int], mpp: float, finest: float) -> Pyramid:
    """`finest`: um per pixel of the finest level; a slide that is coarser is shown as it is."""
    factor = max(1.0, finest / mpp)
    levels = [(max(1, round(size[0] / factor)), max(1, round(size[1] / factor)))]
    while max(levels[-1]) > SIDE:
        levels.append((math.ceil(levels[-1][0] / 2), math.ceil(levels[-1][1] / 2)))
    found = Pyramid(size, levels)
    if found.files > MOST:
        raise DataError(f"a page at {finest:g} um per pixel would be {found.files:,} files, more than {MOST:,}; ask for a coarser one")
    return found


def write_pyramid(slide: Slide, plan: Pyramid, folder: Path, source: Any, workers: int = 2) -> int:
    """`source` tells the slide's content; what was made from another is made again. The number of damaged tiles, which are white."""
    about = json.loads(json.dumps({"schema": 1, "source": source, **asdict(plan)}))
    kept = _read(folder / "about.json")
    if kept is None or {key: kept.get(key) for key in about} != about:
        shutil.rmtree(folder, ignore_errors=True)
    elif kept.get("done"):
        return int(kept["bad"])
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "about.json", about | {"done": False})
    bad: list[int] = []
    with ThreadPoolExecutor(workers, thread_name_prefix="pyramid") as pool:
        for level, (wide, high) in enumerate(plan.levels):
            (folder / str(level)).mkdir(exist_ok=True)
            columns, rows = math.ceil(wide / plan.side), math.ceil(high / plan.side)
            make: Callable[[int], int] = _finest(slide, plan, folder, columns) if level == 0 else _above(plan, folder, level, columns)
            bad += pool.map(make, range(columns * rows))
    _write(folder / "about.json", about | {"done": True, "bad": sum(bad)})
    return sum(bad)


def _finest(slide: Slide, plan: Pyramid, folder: Path, columns: int) -> Callable[[int], int]:
    wide, high = plan.levels[0]
    across, down = plan.size[0] / wide, plan.size[1] / high

    def make(number: int) -> int:
        row, column = divmod(number, columns)
        path = folder / "0" / f"{column}_{row}.jpg"
        if _there(path):
            return 0
        left, top = column * plan.side, row * plan.side
        right, bottom = min(wide, left + plan.side), min(high, top + plan.side)
        try:
            pixels = read_scaled(slide, (left * across, top * down, right * across, bottom * down), (right - left, bottom - top))
        except SlideUnreadableError:
            return 1  # no file: the page shows what lies above, or white
        _write_bytes(path, encode_jpeg(pixels))
        return 0

    return make


def _above(plan: Pyramid, folder: Path, level: int, columns: int) -> Callable[[int], int]:
    wide, high = plan.levels[level - 1]

    def make(number: int) -> int:
        row, column = divmod(number, columns)
        path = folder / str(level) / f"{column}_{row}.jpg"
        if _there(path):
            return 0
        left, top = 2 * column * plan.side, 2 * row * plan.side
        width, height = min(wide - left, 2 * plan.side), min(high - top, 2 * plan.side)
        both = np.full((height, width, 3), 255, np.uint8)
        for j in range(math.ceil(height / plan.side)):
            for i in range(math.ceil(width / plan.side)):
                below = cv2.imread(str(folder / str(level - 1) / f"{2 * column + i}_{2 * row + j}.jpg"), cv2.IMREAD_COLOR_RGB)
                if below is not None:
                    part = both[j * plan.side :, i * plan.side :]
                    part[: below.shape[0], : below.shape[1]] = below
        both = cv2.copyMakeBorder(both, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        half = cv2.resize(both, (both.shape[1] // 2, both.shape[0] // 2), interpolation=cv2.INTER_AREA)
        _write_bytes(path, encode_jpeg(half, 90))
        return 0

    return make


def _there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0  # empty: written just before the power failed


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, values: dict[str, Any]) -> None:
    with write_whole(path, "w") as file:
        json.dump(values, file)


def _write_bytes(path: Path, data: bytes) -> None:
    """Whole or not at all; not forced to the disk one by one, for what is lost is made again."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(data)
    draft.replace(path)
