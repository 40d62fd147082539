"""Frames on disk as they are asked for, one by one. Imported by workers: no Lightning here."""

from pathlib import Path

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.hag.field_of_view import blanked
from datamodules.hag.table import PolypFrame
from datamodules.pictures import decode
from datamodules.store import Store

__all__ = ["MAX_PIXELS", "Depth", "OnDisk"]

MAX_PIXELS = 50_000_000  # a frame of more is refused before it is decoded


class Depth:
    """Files of inverse depth, one a frame: called as its path ends, with folders or _ between, as .npy or as a PNG or TIFF of 16 bits.

    metric: numbers times `scale`, the same for all frames; relative: from 0 to 1 in each frame
    """

    def __init__(self, folder: str, kind: str = "metric", scale: float = 1.0):
        self.folder, self.kind, self.scale = Path(folder), kind, scale
        if not self.folder.is_dir():
            raise DataError(f"{folder}: no such folder of depth files")

    def file(self, frame: str) -> Path:
        """Of a frame of this file name."""
        parts = [part for part in (frame.rpartition(".")[0] or frame).split("/") if part]
        for name in (between.join(parts[first:]) for first in range(len(parts)) for between in "/_"):
            for kind in (".npy", ".png", ".tif", ".tiff"):
                if (file := self.folder / f"{name.lstrip('$')}{kind}").is_file():
                    return file
        raise DataError(f"{self.folder}: no depth of {frame} (.npy, .png or .tif of its name); make it or leave the plane 'depth' out")

    def read(self, frame: str, height: int, width: int) -> np.ndarray:
        """float32 (height,width)."""
        file = self.file(frame)
        try:
            pixels = np.load(file, allow_pickle=False) if file.suffix == ".npy" else cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        except (ValueError, EOFError, OSError) as error:
            raise DataError(f"{file}: not readable ({error}); make it again") from None
        if pixels is None or pixels.ndim != 2 or pixels.dtype.kind not in "fui" or not np.isfinite(pixels).all():
            raise DataError(f"{file}: depth is finite numbers, rows by columns; make it again")
        pixels = pixels.astype(np.float32) * np.float32(self.scale)
        if self.kind == "relative":
            low, high = float(pixels.min()), float(pixels.max())
            pixels = (pixels - low) / max(high - low, 1e-12)
        return pixels if pixels.shape == (height, width) else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


class OnDisk:
    """Frames of a table. blank: everything outside the field of view is made black."""

    def __init__(self, store: Store, records: list[PolypFrame], blank: bool = False, depth: Depth | None = None):
        self.store, self.records, self.blank, self.depth = store, records, blank, depth

    def __len__(self) -> int:
        return len(self.records)

    def image(self, at: int) -> np.ndarray:
        file = self.records[at].file
        image = decode(self.store.read(file), self.store.where(file), max_pixels=MAX_PIXELS)
        return blanked(image) if self.blank else image

    def box(self, at: int) -> np.ndarray | None:
        box = self.records[at].box
        return None if box is None else np.array(box, np.float64)

    def planes(self, at: int, names: tuple[str, ...], shape: tuple[int, int]) -> np.ndarray:
        if self.depth is None or names != ("depth",):
            raise DataError(f"no files of the planes {', '.join(names)}; 'depth' has some where its folder is named")
        return self.depth.read(self.records[at].file, *shape)[None]
