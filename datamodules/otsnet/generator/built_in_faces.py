"""Faces that need no file: Pillow's own in several styles, and OpenCV's stroke faces."""

import cv2
import numpy as np
from PIL import ImageFont

from datamodules.otsnet.generator.face import SIZE, STROKE_FACES, Face, FileFace, StrokeFace, StyledFace

__all__ = ["built_in_faces"]

SQUARE, CROSS = np.ones((2, 2), np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def built_in_faces() -> list[Face]:
    """No condensed or wide style: the picture's own stretch would undo it."""
    font = ImageFont.load_default(SIZE)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return _strokes()
    plain = FileFace(font, "built-in", "built-in")
    styles: list[Face] = [
        plain,
        StyledFace(plain, "bold", lambda mask: cv2.dilate(mask, CROSS), 2),
        StyledFace(plain, "heavy", lambda mask: cv2.dilate(mask, np.ones((3, 4), np.uint8)), 3),
        StyledFace(plain, "thin", lambda mask: cv2.erode(mask, SQUARE), 1),
        StyledFace(plain, "hollow", lambda mask: cv2.subtract(cv2.dilate(mask, CROSS), cv2.erode(mask, CROSS)), 2),
        StyledFace(plain, "slanted", lambda mask: _slanted(mask, 0.22), 12),
        StyledFace(plain, "slanted bold", lambda mask: _slanted(cv2.dilate(mask, CROSS), 0.22), 12),
        StyledFace(plain, "slanted back", lambda mask: _slanted(mask, -0.15), 12),
    ]
    return [*styles, *_strokes()]


def _strokes() -> list[Face]:
    return [
        StrokeFace(name, italic=italic, thickness=thickness)
        for name in STROKE_FACES
        for italic in (False, True)
        for thickness in ((2, 3) if "plex" in name else (2, 4))
    ]


def _slanted(mask: np.ndarray, slope: float) -> np.ndarray:
    high, wide = mask.shape
    matrix = np.array([[1, -slope, slope * high / 2], [0, 1, 0]], np.float32)
    return cv2.warpAffine(mask, matrix, (wide, high))
