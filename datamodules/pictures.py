"""From a picture file to uint8 (H,W,3) RGB, by one stated rule; what is too big, cut short or unknown is refused.

The rule: the kind is what the first bytes say, never the extension. EXIF turns are carried out. Grey is repeated into three channels.
16 bits are divided by 257, so that white stays white. Palettes and CMYK become RGB as OpenCV converts them. Transparency is composed
on white. Of several frames or pages the first one counts. Floating-point pictures have no rule and are refused.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.headers import KINDS, Header, probe

__all__ = ["MAX_BYTES", "MAX_PIXELS", "canonical", "decode", "read_picture"]

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30

# OpenCV writes its own lines to stderr for every broken file; ours is the error that says what to do
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_picture(source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """uint8 (H,W,3) RGB from a path or from a file's bytes."""
    if isinstance(source, bytes):
        return decode(source, "picture", max_pixels=max_pixels)
    path = Path(source)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: file of more than {MAX_BYTES >> 20} MiB; export it smaller")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    return decode(data, str(path), max_pixels=max_pixels)


def decode(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """`read_picture` of bytes whose origin has a name."""
    header = check(data, name, max_pixels=max_pixels)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # as stored: keeps alpha and 16 bits, does not turn
    if pixels is None:
        raise DataError(f"{name}: damaged {header.kind}; restore or remove the file")
    if pixels.shape[0] * pixels.shape[1] != header.width * header.height:
        raise DataError(f"{name}: {header.kind} header and picture disagree about its size; save it anew")
    if pixels.ndim == 3:
        pixels = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    try:
        return _turned(canonical(pixels, premultiplied=header.alpha == "premultiplied"), header.turn)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def check(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Header:
    """The header, or a DataError that names the file: everything that can be refused without decoding."""
    header = probe(data)
    if header is None:
        raise DataError(f"{name}: {'empty file' if not data else 'not a picture'} (known: {', '.join(KINDS)}); remove or convert it")
    if header.width * header.height > max_pixels:
        raise DataError(f"{name}: {header.width} x {header.height} pixels are more than the limit of {max_pixels:,}; shrink it first")
    if not header.whole:
        raise DataError(f"{name}: {header.kind} cut short; copy it again or remove it")
    if header.alpha == "lost":
        raise DataError(f"{name}: TIFF whose transparency cannot be read; save it as PNG")
    return header


def canonical(array: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    """uint8 (H,W,3) RGB from bool, uint8 or uint16 in the shape (H,W) or (H,W,1) grey, (H,W,2) grey+alpha, (H,W,3) RGB, (H,W,4) RGBA."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or 0 in array.shape:
        raise DataError(f"a picture has the shape (H, W) or (H, W, 1 to 4), got {array.shape}")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise DataError(f"pixels of type {array.dtype} have no agreed range; save the picture with 8 or 16 bits")
    if array.shape[2] in (2, 4):
        colour, alpha = array[:, :, :-1].astype(np.uint32), array[:, :, -1:].astype(np.uint32)
        opaque = colour * 255 if premultiplied else colour * alpha
        array = np.minimum((opaque + 255 * (255 - alpha) + 127) // 255, 255).astype(np.uint8)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def _turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    if turn >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
