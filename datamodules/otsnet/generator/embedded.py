"""The small made set on which a reader learns within a minute: ten letters, words of 2 to 5, half of them from a lexicon."""

import random
from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont

from datamodules.otsnet.generator.face import FileFace, StrokeFace
from datamodules.otsnet.generator.vocabulary import is_held_out

__all__ = ["ALPHABET", "HIGH", "LONGEST", "WIDE", "draw_embedded", "embedded_lexicon"]

ALPHABET = "ACEHLNOSTU"  # C and O, H N U, L and E look alike
HIGH, WIDE, LONGEST = 32, 64, 5
LEXICON, LEXICON_SEED = 200, 57  # one lexicon for every seed: training and test share it
SIZE = 20


@lru_cache(maxsize=1)
def embedded_lexicon() -> tuple[str, ...]:
    rng, words = random.Random(LEXICON_SEED), dict[str, None]()
    while len(words) < LEXICON:
        words[_string(rng)] = None
    return tuple(words)


def _string(rng: random.Random) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randint(2, LONGEST)))


@lru_cache(maxsize=1)
def _in_lexicon() -> frozenset[str]:
    return frozenset(embedded_lexicon())


def _word(rng: random.Random, held_out: bool) -> str:
    """A word of the lexicon, or a string that is not in it: of these a fifth is held out."""
    if rng.random() < 0.5:
        return rng.choice(embedded_lexicon())
    while True:
        word = _string(rng)
        if word not in _in_lexicon() and is_held_out(word) == held_out:
            return word


@lru_cache(maxsize=1)
def _face() -> FileFace | StrokeFace:
    font = ImageFont.load_default(SIZE)
    if isinstance(font, ImageFont.FreeTypeFont):
        return FileFace(font, "built-in", "built-in")
    return StrokeFace("simplex", italic=False, thickness=2)


def draw_embedded(rng: random.Random, noise: np.random.Generator, held_out: bool) -> tuple[np.ndarray, str, np.ndarray]:
    """(uint8 (32,64,3), the word, its letters' boxes (n,4) in 0..1)."""
    word, face = _word(rng, held_out), _face()
    glyphs = [face.glyph(character, 0) for character in word]
    starts, pen = [], 0
    for glyph in glyphs:
        starts.append(pen)
        pen += glyph.mask.shape[1] - 1 + rng.randint(0, 1) + 2 * max(0, glyph.left)
    width = starts[-1] + glyphs[-1].mask.shape[1]
    top, bottom = min(glyph.top for glyph in glyphs), max(glyph.top + len(glyph.mask) for glyph in glyphs)
    line = np.zeros((bottom - top, width), np.uint8)
    for glyph, x in zip(glyphs, starts, strict=True):
        part = line[glyph.top - top :, x:][: len(glyph.mask), : glyph.mask.shape[1]]
        np.maximum(part, glyph.mask, out=part)
    scale, shear = rng.uniform(0.85, 1.1), max(-0.3, min(0.3, rng.gauss(0, 0.12)))
    scale_x = min(scale, (WIDE - 3) / (width + abs(shear) * len(line)))  # five wide letters still fit
    x0 = (WIDE - scale_x * width) / 2 + rng.uniform(-1, 1)
    y0 = (HIGH - scale * len(line)) / 2 + rng.uniform(-1, 1) * min(4.0, (HIGH - scale * len(line)) / 2 - 1)
    middle = len(line) / 2
    matrix = np.array([[scale_x, -scale_x * shear, x0 + scale_x * shear * middle], [0, scale, y0]], np.float32)
    ink = cv2.warpAffine(line, matrix, (WIDE, HIGH)).astype(np.float32) / 255
    return _painted(rng, noise, ink), word, _boxes(glyphs, starts, matrix, len(line))


def _painted(rng: random.Random, noise: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    low = noise.standard_normal((4, 8), dtype=np.float32) * np.float32(0.08)
    away = rng.uniform(0.3, 0.6) * rng.choice((-1, 1))
    picture = cv2.resize(low, (WIDE, HIGH), interpolation=cv2.INTER_CUBIC) + np.float32(0.5 - away / 2) + np.float32(away) * ink
    if rng.random() < 0.3:
        ends = [(-2, round(rng.uniform(0, HIGH))), (WIDE + 2, round(rng.uniform(0, HIGH)))]
        cv2.line(picture, ends[0], ends[1], rng.uniform(0.1, 0.9), 1)
    picture += np.float32(0.04) * noise.standard_normal((HIGH, WIDE), dtype=np.float32)
    return cv2.cvtColor((np.clip(picture, 0, 1) * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def _boxes(glyphs: list, starts: list[int], matrix: np.ndarray, high: int) -> np.ndarray:
    """Bounds of each letter's own ink after the affine map."""
    boxes = np.empty((len(glyphs), 4), np.float32)
    for i, (glyph, x) in enumerate(zip(glyphs, starts, strict=True)):
        x1 = x + glyph.mask.shape[1]
        corners = np.array([[x, 0, 1], [x1, 0, 1], [x, high, 1], [x1, high, 1]], np.float32) @ matrix.T
        boxes[i] = (*corners.min(0), *corners.max(0))
    boxes /= np.array([WIDE, HIGH, WIDE, HIGH], np.float32)
    return np.clip(boxes, 0, 1)
