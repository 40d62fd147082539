"""A face gives one letter at a time as a small picture with its place on the baseline; what was drawn once is kept."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["SIZE", "Face", "FileFace", "Glyph", "StrokeFace", "StyledFace"]

SIZE = 40  # pixels of an em
STROKE_FACES = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX, "plain": cv2.FONT_HERSHEY_PLAIN, "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX, "triplex": cv2.FONT_HERSHEY_TRIPLEX, "complex-small": cv2.FONT_HERSHEY_COMPLEX_SMALL,
    "script-simplex": cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, "script-complex": cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
}  # fmt: skip


class Glyph(NamedTuple):
    mask: np.ndarray  # uint8 (h,w), cut to the ink; (0,0) where there is none
    left: int  # of the mask, from the pen
    top: int  # of the mask, from the baseline: above is negative
    advance: float


class Face(Protocol):
    name: str
    family: str  # what is held out together, for its members look alike

    def glyph(self, character: str, stroke: int) -> Glyph: ...

    def kern(self, before: str, after: str) -> float: ...


class FileFace:
    """A scalable face that Pillow opened, set without shaping."""

    def __init__(self, font: ImageFont.FreeTypeFont, name: str, family: str) -> None:
        self.font, self.name, self.family = font, name, family
        self._glyphs: dict[tuple[str, int], Glyph] = {}
        self._kerns: dict[str, float] = {}

    def glyph(self, character: str, stroke: int) -> Glyph:
        known = self._glyphs.get((character, stroke))
        if known is None:
            known = self._glyphs[character, stroke] = self._draw(character, stroke)
        return known

    def _draw(self, character: str, stroke: int) -> Glyph:
        advance = self.font.getlength(character) + stroke
        left, top, right, bottom = map(round, self.font.getbbox(character, anchor="ls", stroke_width=stroke))
        if right <= left or bottom <= top:
            return Glyph(np.zeros((0, 0), np.uint8), 0, 0, advance)
        picture = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(picture).text((-left, -top), character, 255, self.font, anchor="ls", stroke_width=stroke)
        return _cut(np.asarray(picture), left, top, advance)

    def kern(self, before: str, after: str) -> float:
        pair = before + after
        known = self._kerns.get(pair)
        if known is None:
            apart = self.glyph(before, 0).advance + self.glyph(after, 0).advance
            known = self._kerns[pair] = self.font.getlength(pair) - apart
        return known


class StyledFace:
    """Another face with every letter changed: bolder, thinner, hollow, slanted."""

    def __init__(self, face: FileFace, style: str, change: Callable[[np.ndarray], np.ndarray], border: int) -> None:
        self.face, self.change, self.border = face, change, border
        self.name, self.family = f"{face.name} {style}", face.family
        self._glyphs: dict[tuple[str, int], Glyph] = {}

    def glyph(self, character: str, stroke: int) -> Glyph:
        known = self._glyphs.get((character, stroke))
        if known is None:
            plain, b = self.face.glyph(character, stroke), self.border
            if plain.mask.size:
                wide = cv2.copyMakeBorder(plain.mask, b, b, b, b, cv2.BORDER_CONSTANT)
                plain = _cut(self.change(wide), plain.left - b, plain.top - b, plain.advance)
            known = self._glyphs[character, stroke] = plain
        return known

    def kern(self, before: str, after: str) -> float:
        return self.face.kern(before, after)


class StrokeFace:
    """One of OpenCV's built-in faces, whose letters are poly-lines."""

    def __init__(self, name: str, *, italic: bool, thickness: int) -> None:
        self.name = f"opencv {name}{' italic' if italic else ''} {thickness}"
        self.family = f"opencv {name}"
        self._face = STROKE_FACES[name] | (cv2.FONT_ITALIC if italic else 0)
        self._thickness = thickness
        self._scale = 28 / cv2.getTextSize("H", STROKE_FACES[name], 1.0, 1)[0][1]
        self._glyphs: dict[tuple[str, int], Glyph] = {}

    def glyph(self, character: str, stroke: int) -> Glyph:
        known = self._glyphs.get((character, stroke))
        if known is None:
            thick, pad = self._thickness + stroke, 24
            one = cv2.getTextSize(character, self._face, self._scale, thick)[0][0]
            advance = cv2.getTextSize(character * 2, self._face, self._scale, thick)[0][0] - one
            canvas = np.zeros((96, one + 2 * pad), np.uint8)
            cv2.putText(canvas, character, (pad, 60), self._face, self._scale, 255, thick, cv2.LINE_AA)
            known = self._glyphs[character, stroke] = _cut(canvas, -pad, -60, float(advance))
        return known

    def kern(self, before: str, after: str) -> float:
        return 0.0


def _cut(mask: np.ndarray, left: int, top: int, advance: float) -> Glyph:
    x, y, wide, high = cv2.boundingRect(mask)
    return Glyph(np.ascontiguousarray(mask[y : y + high, x : x + wide]), left + x, top + y, advance)
