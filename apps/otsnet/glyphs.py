"""What each code stands for, and the glyphs that lie nearest to it, gathered word by word in constant memory.

Shapes: H W picture, V slots up to the end, G groups, M codes a group, K classes (0 is the end).
"""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from apps.otsnet.metrics.aligned import NOTHING, aligned
from apps.otsnet.vocabulary import END

__all__ = ["MOST", "Glyph", "Glyphs", "Use", "cut", "within"]

MOST = 16
LARGEST = 96  # pixels of a side of what is kept
Pixels = tuple[int, int, int, int]  # x0 y0 x1 y1


class Glyph(NamedTuple):
    """A character box of a word."""

    picture: np.ndarray  # uint8 (H,W,3)
    name: str  # of the word's picture
    box: Pixels  # there
    place: int  # in the word
    word: str  # as it was read
    truth: str | None = None

    @property
    def character(self) -> str:
        return self.word[self.place]

    @property
    def mistaken(self) -> bool:
        """It is known that another character stands there, or none."""
        if self.truth is None:
            return False
        return [true for true, read in aligned(self.word, self.truth) if read != NOTHING][self.place] != self.character


class Use(NamedTuple):
    """Of one code."""

    group: int  # from 0
    code: int
    slots: int
    share: float  # of all slots
    characters: dict[str, float]  # shares of its slots, the commonest first; "" is the end of a word
    near: float  # mean over its slots
    nearest: list[tuple[float, Glyph]]  # the nearest first


class Glyphs:
    def __init__(self, groups: int, codes: int, classes: int, most: int = MOST) -> None:
        self.most, self.words, self.slots = most, 0, 0
        self.joint_GMK = np.zeros((groups, codes, classes), np.int64)
        self.near_GM = np.zeros((groups, codes))
        self._kept: dict[tuple[int, int], list[tuple[float, int, Glyph]]] = {}

    def add(self, tokens_V: np.ndarray, codes_VG: np.ndarray, near_VG: np.ndarray, glyph: Callable[[int], Glyph]) -> None:
        """A word. glyph: of the character at a place, asked for only where it is kept."""
        self.words += 1
        for place, token in enumerate(tokens_V.tolist()):
            for group, (code, near) in enumerate(zip(codes_VG[place].tolist(), near_VG[place].tolist(), strict=True)):
                self.joint_GMK[group, code, token] += 1
                self.near_GM[group, code] += near
                if token != END:  # which has a code and no box
                    self._keep(self._kept.setdefault((group, code), []), near, place, glyph)
            self.slots += 1

    def _keep(self, kept: list[tuple[float, int, Glyph]], near: float, place: int, glyph: Callable[[int], Glyph]) -> None:
        """The farthest lies at the head; of equally near ones the first stay."""
        if len(kept) < self.most:
            heapq.heappush(kept, (near, -self.slots, glyph(place)))
        elif near > kept[0][0]:
            heapq.heapreplace(kept, (near, -self.slots, glyph(place)))

    def uses(self, characters: Sequence[str]) -> list[Use]:
        """Of every code, the most used first."""
        pairs = [(group, code) for group in range(self.joint_GMK.shape[0]) for code in range(self.joint_GMK.shape[1])]
        uses = [self._use(group, code, ["", *characters]) for group, code in pairs]
        return sorted(uses, key=lambda use: (-use.slots, use.group, use.code))

    def _use(self, group: int, code: int, names: list[str]) -> Use:
        count_K = self.joint_GMK[group, code]
        slots = int(count_K.sum())
        order = [k for k in np.argsort(-count_K, kind="stable").tolist() if count_K[k]]
        nearest = sorted(self._kept.get((group, code), []), reverse=True)
        return Use(
            group,
            code,
            slots,
            slots / max(1, self.slots),
            {names[k]: int(count_K[k]) / slots for k in order},
            float(self.near_GM[group, code]) / slots if slots else math.nan,
            [(near, glyph) for near, _, glyph in nearest],
        )


def within(box_4: np.ndarray, picture: np.ndarray) -> Pixels:
    """A box in 0..1 of a picture as whole pixels of it, at least one each way."""
    high, wide = picture.shape[:2]
    # rounded first, or a box that was of whole pixels before it became shares would grow by one
    x0, y0, x1, y1 = (np.clip(box_4, 0, 1).astype(np.float64) * (wide, high, wide, high)).round(3).tolist()
    left, top = min(int(x0), wide - 1), min(int(y0), high - 1)
    return left, top, max(left + 1, math.ceil(x1)), max(top + 1, math.ceil(y1))


def cut(picture: np.ndarray, box: Pixels) -> np.ndarray:
    """A copy, for a view would hold the whole picture; made smaller where it is large."""
    x0, y0, x1, y1 = box
    part = picture[y0:y1, x0:x1]
    scale = LARGEST / max(part.shape[:2])
    if scale >= 1:
        return part.copy()
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA)
