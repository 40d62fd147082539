"""One inverse map from the picture to the line of letters: margins, turn, perspective, shear, bends, waves and the final stretch.

The line's ink is the square s, t in -1/2..1/2. Every step works on s and t at the picture's pixels; the fit makes the ink stay inside.
"""

import math
import random
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from datamodules.otsnet.generator.recipe import Recipe

__all__ = ["HIGH", "LEAST", "WIDE", "Place", "place", "placed_ink"]

HIGH, WIDE = 32, 128
LEAST = 8  # ours: pixels of the width of a picture that keeps its shape
LIMIT_DOWN, LIMIT_ACROSS = 2.2, 1.6
ANTI_ALIAS = 1.6
UPRIGHT = 5.0  # ours: a longer line's letters would have less than 5 of the picture's 32 rows; it is turned by a half only
UPRIGHT_KEPT = 2.5  # ours: kept in shape it is as narrow as its letters are high, and they would have less than 13 pixels
TRIES, CALM = 4, 0.2  # ours: what does not fit within the limits is bent anew, at last more gently


class Place(NamedTuple):
    s: np.ndarray  # float32 (32,128 or less): along the line, its ink is -1/2..1/2
    t: np.ndarray  # float32, alike: down the line


@lru_cache(maxsize=2 * WIDE)
def _grid(high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    across = ((np.arange(wide, dtype=np.float32) + 0.5) / wide - 0.5)[None, :]
    down = ((np.arange(high, dtype=np.float32) + 0.5) / high - 0.5)[:, None]
    return across, down


def place(
    rng: random.Random, recipe: Recipe, aspect: float, normals: np.ndarray, orientation_mix: float, keep_ratio: bool = False
) -> Place:
    """aspect: of the line, width by height. normals: float32 (>=4, >=18), standard normal, for the elastic field. keep_ratio: the picture
    is as wide as the straight line's shape asks, 128 pixels at most.
    """
    quarters = 0
    if orientation_mix and rng.random() < orientation_mix:
        quarters = rng.choice((1, 2, 3)) if aspect <= (UPRIGHT_KEPT if keep_ratio else UPRIGHT) else 2
    high, wide = (WIDE, HIGH) if quarters % 2 else (HIGH, WIDE)
    if keep_ratio and quarters % 2:  # it stands upright, 32 pixels high as every picture
        high, wide = max(LEAST, round(HIGH / aspect)), HIGH
    elif keep_ratio:
        wide = min(WIDE, max(LEAST, round(HIGH * aspect)))
    for left in reversed(range(TRIES)):
        if not left:
            recipe = recipe.scaled(CALM)
        if rng.random() < recipe.share_circle:
            s, t = _on_circle(rng, recipe, aspect, high, wide)
        else:
            s, t = _bent(rng, recipe, aspect, high, wide, normals)
        s, t, fits = _fitted(s, t)
        if fits:
            break
    if quarters:
        s, t = np.ascontiguousarray(np.rot90(s, quarters)), np.ascontiguousarray(np.rot90(t, quarters))
    return Place(s, t)


def _within_margins(rng: random.Random, recipe: Recipe, high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    across, down = _grid(high, wide)
    left, right = rng.uniform(*recipe.side_margin), rng.uniform(*recipe.side_margin)
    above, below = rng.uniform(*recipe.top_margin), rng.uniform(*recipe.top_margin)
    s = (across - (left - right) / 2) * (1 / (1 - left - right))
    t = (down - (above - below) / 2) * (1 / (1 - above - below))
    return s, t


def _bent(rng: random.Random, recipe: Recipe, aspect: float, high: int, wide: int, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s, t = _within_margins(rng, recipe, high, wide)
    degrees = rng.gauss(0, recipe.sigma_far_turn if rng.random() < recipe.share_far_turn else recipe.sigma_turn)
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    a = min(4.0, max(1.0, aspect))  # ours: turned in the line's own proportions, as before the stretch
    s, t = cos * s - (sin / a) * t, (sin * a) * s + cos * t
    if rng.random() < recipe.share_perspective:
        across, down = _grid(high, wide)
        p = recipe.sigma_perspective
        divisor = 1 / (1 + rng.uniform(-p, p) * across + 0.6 * rng.uniform(-p, p) * down)
        s, t = s * divisor, t * divisor
    s = s + rng.gauss(0, recipe.sigma_shear) * t
    bend = min(1.0, aspect / 3)  # ours: a circle bends a short word less
    if rng.random() < recipe.share_parabola:
        k = bend * rng.uniform(*recipe.parabola) * rng.choice((-1, 1))
        t = t + (2 * k) * s * s - k / 6
    if rng.random() < recipe.share_wave:
        turns, phase = 2 * math.pi * rng.uniform(*recipe.wave_periods), rng.uniform(0, 2 * math.pi)
        t = t + np.float32(bend * rng.uniform(*recipe.wave)) * np.sin(np.float32(turns) * s + np.float32(phase))
    if rng.random() < recipe.share_elastic:
        spread, x, y = rng.uniform(*recipe.elastic), rng.randrange(normals.shape[1] - 18), rng.randrange(normals.shape[0] - 4)
        field = cv2.resize(normals[y : y + 4, x : x + 18].reshape(4, 9, 2), (wide, high), interpolation=cv2.INTER_CUBIC)
        s, t = s + (spread / a) * field[:, :, 0], t + spread * field[:, :, 1]
    return s, t


def _on_circle(rng: random.Random, recipe: Recipe, aspect: float, high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """A polar map. Lengths in words: the line is an arc of length 1 and height 1/aspect, seen through its bounding box."""
    radius, thick = rng.uniform(*recipe.circle_radius), 1 / max(1.0, aspect)
    radius = max(radius, 0.75 * thick)
    half, outer, inner = min(0.5 / radius, math.pi * 0.9), radius + thick / 2, radius - thick / 2
    x_most = outer if half >= math.pi / 2 else outer * math.sin(half)
    y_least = min(inner * math.cos(half), outer * math.cos(half))
    across, down = _within_margins(rng, recipe, high, wide)
    x = across * (2 * x_most)
    y = (outer + y_least) / 2 - down * (outer - y_least)  # up from the centre of the circle
    upside = rng.random() < 0.5  # the arc opens downwards or upwards
    angle, distance = np.arctan2(x, y[::-1] if upside else y), np.hypot(x, y[::-1] if upside else y)
    s, t = angle * np.float32(radius), (radius - distance) * np.float32(1 / thick)
    return s, -t if upside else t


def _fitted(s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """s and t after the smallest scaling and shift by which the picture's edges lie outside the ink, and whether the limits let it."""
    s, wide_enough = _covered(s, *_reach(s[:, 0], s[:, -1], t[:, 0], t[:, -1]), LIMIT_ACROSS)
    t, high_enough = _covered(t, *_reach(t[0], t[-1], s[0], s[-1]), LIMIT_DOWN)
    return s, t, wide_enough and high_enough


def _reach(first: np.ndarray, last: np.ndarray, along_first: np.ndarray, along_last: np.ndarray) -> tuple[float, float]:
    """Where the map begins at the latest and ends at the earliest, along two opposite edges of the picture, beside the ink."""
    beside_first, beside_last = first[np.abs(along_first) < 0.5], last[np.abs(along_last) < 0.5]
    low = beside_first.max() if beside_first.size else first.max()
    return float(low), float(beside_last.min() if beside_last.size else last.min())


def _covered(x: np.ndarray, low: float, high: float, limit: float) -> tuple[np.ndarray, bool]:
    """x scaled and shifted so that `low` comes to -1/2 or below and `high` to 1/2 or above."""
    if low <= -0.5 and high >= 0.5:
        return x, True
    if (high - low) * limit < 1:
        return x, False
    scale = max(1.0, 1 / (high - low))
    most, least = -0.5 - scale * low, 0.5 - scale * high  # of the shift
    return x * np.float32(scale) + np.float32(min(most, max(least, 0.0))), True


def placed_ink(mask: np.ndarray, where: Place) -> np.ndarray:
    """float32 as large as the picture, 0..1: the line as the picture shows it."""
    high, wide = mask.shape
    x, y = _pixels(where.s, wide), _pixels(where.t, high)
    step_x, step_y = _step(x), _step(y)
    if step_x > ANTI_ALIAS or step_y > ANTI_ALIAS:
        # in float32, for OpenCV 4.14's blur of two bytes overflows: 255 and 255 become 0 in the last columns
        mask = cv2.blur(mask.astype(np.float32), (max(1, round(step_x)), max(1, round(step_y))), borderType=cv2.BORDER_CONSTANT)
    ink = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return ink * np.float32(1 / 255)


def _pixels(x: np.ndarray, count: int) -> np.ndarray:
    return x * np.float32(count) + np.float32(count / 2 - 0.5)


def _step(x: np.ndarray) -> float:
    """Source pixels a pixel, at the middle: how much the line is reduced."""
    high, wide = x.shape
    row, column = x[high // 2], x[:, wide // 2]
    along, down = abs(float(row[-1] - row[0])) / (wide - 1), abs(float(column[-1] - column[0])) / (high - 1)
    return max(along, down)
