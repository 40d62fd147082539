"""The box and area of a mask, whose bright half is polyp."""

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.hag.table import Box
from datamodules.pictures import check

__all__ = ["read_mask"]

BRIGHT = 128  # masks as JPEG are not exactly black and white


def read_mask(data: bytes, name: str) -> tuple[Box | None, float]:
    """(box of all that is bright, or None where nothing is; its share of the frame)."""
    check(data, name)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DataError(f"{name}: damaged mask; restore or remove the file")
    bright = pixels >= BRIGHT
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if not len(rows):
        return None, 0.0
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)), float(bright.mean())
