"""A word set in one line: its ink, cut tight, and where every letter begins and ends."""

import random
from typing import NamedTuple

import numpy as np

from datamodules.otsnet.generator.face import Face, Glyph
from datamodules.otsnet.generator.recipe import Recipe

__all__ = ["Line", "set_line"]

LEAST_HIGH = 18  # ours: a dash alone is not enlarged to a wall
LEAST_WIDE = 0.45  # ours: of the height; nor a single I


class Line(NamedTuple):
    mask: np.ndarray  # uint8 (H,W)
    edges: list[tuple[float, float]]  # a letter's left and right in the mask's pixels


def set_line(rng: random.Random, recipe: Recipe, face: Face, text: str) -> Line:
    gap = rng.randint(*recipe.gap) if rng.random() < recipe.share_gap else 0
    stroke = 1 if rng.random() < recipe.share_stroke else 0
    pen, before = 0.0, ""
    placed: list[tuple[Glyph, int]] = []
    edges: list[tuple[float, float]] = []
    for character in text:
        glyph = face.glyph(character, stroke)
        if before:
            pen += face.kern(before, character) + gap
        edges.append((pen, pen + glyph.advance))
        placed.append((glyph, round(pen) + glyph.left))
        pen, before = pen + glyph.advance, character
    inked = [(glyph, x) for glyph, x in placed if glyph.mask.size]
    left = min(x for _, x in inked)
    right = max(x + glyph.mask.shape[1] for glyph, x in inked)
    top = min(glyph.top for glyph, _ in inked)
    bottom = max(glyph.top + glyph.mask.shape[0] for glyph, _ in inked)
    if bottom - top < LEAST_HIGH:
        lack = LEAST_HIGH - (bottom - top)
        top, bottom = top - lack // 2, bottom + lack - lack // 2
    lack = int(LEAST_WIDE * (bottom - top)) - (right - left)
    if lack > 0:
        left, right = left - lack // 2, right + lack - lack // 2
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for glyph, x in inked:
        high, wide = glyph.mask.shape
        part = mask[glyph.top - top : glyph.top - top + high, x - left : x - left + wide]
        np.maximum(part, glyph.mask, out=part)
    wide = right - left
    return Line(mask, [_at_least_one(max(0.0, x0 - left), min(float(wide), x1 - left), wide) for x0, x1 in edges])


def _at_least_one(x0: float, x1: float, wide: int) -> tuple[float, float]:
    """A pixel of the line, also for a letter that is all overhang."""
    if x1 - x0 >= 1:
        return x0, x1
    x0 = min(max(0.0, (x0 + x1) / 2 - 0.5), wide - 1.0)
    return x0, x0 + 1
