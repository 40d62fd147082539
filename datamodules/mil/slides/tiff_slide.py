"""OME-TIFF and every other TIFF that OpenSlide does not know, read piece by piece through tifffile: only the first series."""

import math
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.mil.slides.flat import FlatSlide
from datamodules.mil.slides.problems import SlideUnreadableError, need
from datamodules.pictures import MAX_PIXELS, canonical

__all__ = ["TiffSlide", "is_ome"]

AXES = ("YX", "YXS", "CYX", "SYX")
KEPT = 64 << 20  # bytes of decoded pieces: neighbouring tiles share them
MICROMETRES = {"m": 1e6, "cm": 1e4, "mm": 1e3, "µm": 1.0, "\u03bcm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6}


def is_ome(path: Path) -> bool:
    tifffile = need("tifffile")
    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.is_ome)
    except Exception:  # whatever a damaged header makes of it: the reader that follows names what is wrong
        return False


class TiffSlide(FlatSlide):
    def __init__(self, path: Path) -> None:
        tifffile = need("tifffile")
        need("imagecodecs")
        try:
            self._file: Any = tifffile.TiffFile(path)
            series = self._file.series[0]
            self._levels: list[Any] = list(series.levels)
            axes = series.axes
            shapes = [level.shape for level in self._levels]
        except Exception as error:  # tifffile's errors have no common class: struct, index and key errors come out of broken headers
            raise SlideUnreadableError(f"{path}: damaged TIFF ({_brief(error)}); copy the file again") from None
        if axes not in AXES:
            raise SlideUnreadableError(f"{path}: TIFF with axes {axes}; a slide has {', '.join(AXES)}: export it as RGB")
        down, right = axes.index("Y"), axes.index("X")
        self._planar = axes in ("CYX", "SYX")
        channels = shapes[0][0] if self._planar else (shapes[0][2] if axes == "YXS" else 1)
        if channels not in (1, 2, 3, 4):
            raise SlideUnreadableError(f"{path}: TIFF of {channels} channels is no RGB picture; export it as RGB")
        self._channels = channels
        self._pieces: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self.vendor = "ome" if self._file.is_ome else "tiff"
        super().__init__(path, [(shape[right], shape[down]) for shape in shapes], _properties(self._file))

    def close(self) -> None:
        self._file.close()

    def _pixels(self, level: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        pages = self._levels[level].pages
        with self._lock:
            try:
                if not self._planar:
                    picture = self._plane(level, 0, pages[0], 0, x0, y0, x1, y1)
                elif len(pages) > 1:  # a page a channel
                    planes = [self._plane(level, c, pages[c], 0, x0, y0, x1, y1) for c in range(self._channels)]
                    picture = np.concatenate(planes, axis=2)
                else:  # one page whose channels follow one another
                    planes = [self._plane(level, c, pages[0], c, x0, y0, x1, y1) for c in range(self._channels)]
                    picture = np.concatenate(planes, axis=2)
                return canonical(picture)
            except DataError as error:
                raise SlideUnreadableError(f"{self.path}: {error}") from None
            except Exception as error:  # codecs raise what they like
                raise SlideUnreadableError(
                    f"{self.path}: damaged at x={x0}, y={y0}, level {level} ({_brief(error)}); copy the file again"
                ) from None

    def _plane(self, level: int, plane: int, page: Any, block: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        page = page.aspage() if hasattr(page, "aspage") else page
        wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
        if wide * high > MAX_PIXELS:
            raise DataError(f"stored in pieces of {wide} x {high} pixels, more than the limit of {MAX_PIXELS:,}; save it in tiles")
        columns, rows = math.ceil(page.imagewidth / wide), math.ceil(page.imagelength / high)
        samples = 1 if self._planar else self._channels
        out = np.empty((y1 - y0, x1 - x0, samples), page.dtype)
        for row in range(y0 // high, (y1 - 1) // high + 1):
            for column in range(x0 // wide, (x1 - 1) // wide + 1):
                piece = self._piece((level, plane, row * columns + column), page, block * rows * columns + row * columns + column)
                top, left = row * high, column * wide
                a, b = max(y0, top), min(y1, top + high)
                c, d = max(x0, left), min(x1, left + wide)
                out[a - y0 : b - y0, c - x0 : d - x0] = piece[a - top : b - top, c - left : d - left]
        return out

    def _piece(self, key: tuple[int, int, int], page: Any, index: int) -> np.ndarray:
        """One decoded tile or strip (rows, columns, samples)."""
        if key in self._pieces:
            self._pieces.move_to_end(key)
            return self._pieces[key]
        count = page.databytecounts[index]
        if count == 0:  # a sparse file leaves empty pieces out
            high, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
            return np.full((high, wide, 1 if self._planar else self._channels), np.iinfo(page.dtype).max, page.dtype)
        decode, tables = page.decode, page.jpegtables  # first of all: tifffile may move in the file to find them
        handle = self._file.filehandle
        handle.seek(page.dataoffsets[index])
        segment = decode(handle.read(count), index, jpegtables=tables)[0]
        if segment is None:
            raise DataError(f"piece {index} is empty; copy the file again")
        piece = segment.reshape(segment.shape[-3:])
        self._pieces[key] = piece
        while len(self._pieces) > 1 and sum(kept.nbytes for kept in self._pieces.values()) > KEPT:
            self._pieces.popitem(last=False)
        return piece


def _properties(file: Any) -> dict[str, str]:
    """What the header says about resolution, under the names that OpenSlide uses; OME's sizes in micrometres."""
    found: dict[str, str] = {}
    page = file.pages[0]
    for axis in "XY":
        tag = page.tags.get(f"{axis}Resolution")
        if tag is not None:
            above, below = tag.value
            if below:
                found[f"tiff.{axis}Resolution"] = str(above / below)
    unit = page.tags.get("ResolutionUnit")
    found["tiff.ResolutionUnit"] = {2: "inch", 3: "centimeter"}.get(int(unit.value) if unit else 2, "none")
    description = page.description or ""
    if file.is_ome:
        for axis in "XY":
            size = re.search(rf'PhysicalSize{axis}\s*=\s*"([^"]+)"', description)
            name = re.search(rf'PhysicalSize{axis}Unit\s*=\s*"([^"]+)"', description)
            factor = MICROMETRES.get(name[1].replace("&#181;", "µ").replace("&#xB5;", "µ") if name else "µm")
            if size and factor:
                found[f"ome.PhysicalSize{axis}"] = str(float(size[1]) * factor) if _is_number(size[1]) else size[1]
    if description.startswith("Aperio"):
        for pair in description.split("|")[1:]:
            key, _, value = pair.partition("=")
            found[f"aperio.{key.strip()}"] = value.strip()
    return found


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
