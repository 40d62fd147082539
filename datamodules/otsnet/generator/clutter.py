"""What real crops hold besides the word: lines, the cut edges of other words, things in front."""

import random

import cv2
import numpy as np

from datamodules.otsnet.generator.recipe import Recipe

__all__ = ["blend", "cover", "lines", "neighbour"]


def blend(planes: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> None:
    """planes (3,H,W) become the colour, (3,1,1) or (3,H,W), where alpha (H,W) is 1."""
    planes += alpha * (colour - planes)


def random_colour(rng: random.Random) -> np.ndarray:
    return np.array([rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255)], np.float32).reshape(3, 1, 1)


def lines(rng: random.Random, planes: np.ndarray) -> None:
    """1 to 3 poly-lines of 1 or 2 pixels."""
    _, high, wide = planes.shape
    canvas = np.zeros((high, wide), np.uint8)
    for _ in range(rng.randint(1, 3)):
        ends = [(rng.uniform(-8, wide + 8), rng.uniform(-4, high + 4)) for _ in range(rng.randint(2, 4))]
        if rng.random() < 0.5:
            ends.sort()
        points = (np.array(ends, np.float32) * 16).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, rng.randint(1, 2), cv2.LINE_AA, 4)
    blend(planes, canvas * np.float32(rng.uniform(0.6, 1) / 255), random_colour(rng))


def neighbour(rng: random.Random, planes: np.ndarray, other: np.ndarray, colour: np.ndarray) -> None:
    """The bottom of a word above, the top of one below, or the end of one beside; `other` is that word's ink."""
    _, high, wide = planes.shape
    rows, columns = other.shape
    side = rng.choice(("above", "below", "left", "right"))
    if side in ("above", "below"):
        seen, scale = rng.uniform(1.5, 5), rng.uniform(0.6, 1.1) * high / rows
        x, y = rng.uniform(-0.3 * wide, 0.5 * wide), seen - rows * scale if side == "above" else high - seen
        across = scale * rng.uniform(0.8, 2)
    else:
        scale = rng.uniform(0.6, 0.9) * high / rows
        across, seen = scale * rng.uniform(0.8, 2), rng.uniform(2, 6)
        x, y = seen - columns * across if side == "left" else wide - seen, rng.uniform(0.05, 0.3) * high
    matrix = np.array([[across, 0, x], [0, scale, y]], np.float32)
    ink = cv2.warpAffine(other, matrix, (wide, high), flags=cv2.INTER_LINEAR)
    blend(planes, ink * np.float32(rng.uniform(0.7, 1) / 255), colour)


def cover(rng: random.Random, recipe: Recipe, planes: np.ndarray, colour: np.ndarray, letters: int) -> None:
    """A bar or a blot. ours: never wider than 0.6 of a letter, for what is wholly covered cannot be read."""
    _, high, wide = planes.shape
    most = max(2.0, min(recipe.cover_width, 0.6 / letters) * wide)
    canvas = np.zeros((high, wide), np.uint8)
    x, across = rng.uniform(0, wide), rng.uniform(1.5, most)
    if rng.random() < 0.5:
        lean = rng.uniform(-0.4, 0.4) * high
        corners = [(x + lean, 0), (x + lean + across, 0), (x - lean + across, high), (x - lean, high)]
        cv2.fillPoly(canvas, [(np.array(corners) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    else:
        centre = (int(x * 16), int(rng.uniform(0, high) * 16))
        axes = (int(across * 8), int(rng.uniform(2, 0.4 * high) * 8))
        cv2.ellipse(canvas, centre, axes, rng.uniform(0, 180) if across > 6 else 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
    blend(planes, canvas * np.float32(1 / 255), colour)
