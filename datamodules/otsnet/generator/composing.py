"""From the ink of a word to a picture in colours: background, shadow, outline, ink, what lies between and over, light."""

import random

import cv2
import numpy as np

from datamodules.otsnet.generator.clutter import blend, cover, lines, neighbour
from datamodules.otsnet.generator.light import light
from datamodules.otsnet.generator.recipe import Recipe
from datamodules.otsnet.generator.sheets import Sheets

__all__ = ["compose"]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
SQUARE = np.ones((3, 3), np.uint8)


def compose(rng: random.Random, recipe: Recipe, sheets: Sheets, ink: np.ndarray, other: np.ndarray | None, letters: int) -> np.ndarray:
    """float32 (3,32,128), about 0..255. ink: (32,128) in 0..1; other: uint8 ink of a neighbouring word, or None; letters: of the word."""
    planes = _background(rng, recipe, sheets, *ink.shape)
    base = planes.reshape(3, -1).mean(1)
    ink_colour = _ink_colour(rng, recipe, base)
    if other is not None:
        neighbour(rng, planes, other, ink_colour)
    if rng.random() < recipe.share_lines_below:
        lines(rng, planes)
    if rng.random() < recipe.share_shadow:
        _shadow(rng, recipe, planes, ink)
    if rng.random() < recipe.share_outline:
        blend(planes, cv2.dilate(ink, SQUARE), _column(rng.uniform(0, 255) for _ in range(3)))
    paint = ink_colour
    if rng.random() < recipe.share_textured_ink:
        paint = paint + np.float32(rng.uniform(0, recipe.sigma_texture / 2)) * sheets.texture(rng, *ink.shape)
    if rng.random() < recipe.share_multiply_or_screen:
        paint = planes * paint / 255 if rng.random() < 0.5 else 255 - (255 - planes) * (255 - paint) / 255
    blend(planes, ink * np.float32(rng.uniform(*recipe.opacity)), paint)
    if rng.random() < recipe.share_lines_above:
        lines(rng, planes)
    if rng.random() < recipe.share_cover:
        cover(rng, recipe, planes, base.reshape(3, 1, 1), letters)
    light(rng, recipe, planes)
    return planes


def _column(values: object) -> np.ndarray:
    return np.fromiter(values, np.float32, 3).reshape(3, 1, 1)  # type: ignore[arg-type]


def _background(rng: random.Random, recipe: Recipe, sheets: Sheets, high: int, wide: int) -> np.ndarray:
    if len(sheets.photos) and rng.random() < 0.5:
        photo = sheets.photo(rng, high, wide)
        return (photo - photo.mean()) * np.float32(rng.uniform(0.3, 1)) + np.float32(rng.uniform(30, 225))
    grey = 8 + 240 * rng.betavariate(0.5, 0.5)  # ours: rather dark or bright than between, as signs are, which leaves room for contrast
    colour = _column(min(255.0, max(0.0, grey + rng.gauss(0, 28))) for _ in range(3))
    most = recipe.sigma_texture * rng.random() ** 2  # ours: rather flat than not, as real signs are
    texture = sheets.texture(rng, high, wide)
    if rng.random() < recipe.share_coloured_texture:
        return colour + _column(rng.uniform(-most, most) for _ in range(3)) * texture
    return colour + np.float32(most) * texture


def _ink_colour(rng: random.Random, recipe: Recipe, base: np.ndarray) -> np.ndarray:
    """The background's mean, brighter or darker; the other way where that would leave the range."""
    mean, away = float(LUMINANCE @ base), rng.uniform(*recipe.contrast) * rng.choice((-1, 1))
    if not 0 <= mean + away <= 255:
        away = -away
    if not 0 <= mean + away <= 255:  # too much either way: as far as the range goes on the wider side
        away = 255 - mean if mean < 127.5 else -mean
    return _column(min(255.0, max(0.0, float(b) + away + rng.gauss(0, recipe.sigma_ink_colour))) for b in base)


def _shadow(rng: random.Random, recipe: Recipe, planes: np.ndarray, ink: np.ndarray) -> None:
    """Behind the ink and beside it: dark, or bright as of embossed letters."""
    across, down = rng.randint(-3, 3), rng.randint(-2, 2)
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
    soft = cv2.blur(cv2.warpAffine(ink, matrix, (ink.shape[1], ink.shape[0]), flags=cv2.INTER_NEAREST), (3, 3))
    goal = 255.0 if rng.random() < recipe.share_bright_shadow else 0.0
    blend(planes, soft * np.float32(rng.uniform(0.3, 0.9)), np.full((3, 1, 1), goal, np.float32))
