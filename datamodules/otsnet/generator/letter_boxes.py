"""Where every letter ended up in the picture, read from the map itself."""

import math

import numpy as np

from datamodules.otsnet.generator.geometry import Place

__all__ = ["letter_boxes"]

NONE = np.uint8(255)


def letter_boxes(where: Place, edges: list[tuple[float, float]], length: int) -> np.ndarray:
    """float32 (n,4), x0 y0 x1 y1 in 0..1: bounds of the pixels whose source is the letter's stretch of the line; edges in 0..length."""
    high, wide = where.s.shape
    letter_at = np.full(length + 2, NONE, np.uint8)  # of a column of the line, one more at either side
    for i, (x0, x1) in enumerate(edges):
        letter_at[1 + int(x0) : 1 + math.ceil(x1)] = i
    inside = np.abs(where.t) <= 0.5
    column = np.clip((where.s + np.float32(0.5 + 1 / length)) * np.float32(length), 0, length + 1).astype(np.intp)
    of_letter = np.where(inside, letter_at[column], NONE) == np.arange(len(edges), dtype=np.uint8)[:, None, None]
    columns, rows = of_letter.any(1), of_letter.any(2)
    found = columns.any(1)
    boxes = np.empty((len(edges), 4), np.float32)
    boxes[:, 0], boxes[:, 2] = columns.argmax(1), wide - columns[:, ::-1].argmax(1)
    boxes[:, 1], boxes[:, 3] = rows.argmax(1), high - rows[:, ::-1].argmax(1)
    for i in np.flatnonzero(~found):  # narrower than a pixel, or outside: the nearest pixel
        away = np.abs(where.s - (sum(edges[i]) / 2 / length - 0.5)) + np.maximum(0, np.abs(where.t) - 0.5)
        x = int(away.argmin()) % wide
        down = np.flatnonzero(inside[:, x])
        y0, y1 = (int(down[0]), int(down[-1]) + 1) if len(down) else (0, high)
        boxes[i] = (x, y0, x + 1, y1)
    return boxes / np.array([wide, high, wide, high], np.float32)
