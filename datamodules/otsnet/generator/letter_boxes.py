"""Where every letter ended up in the picture, read from the map itself."""

import numpy as np

from datamodules.otsnet.generator.geometry import Place

__all__ = ["letter_boxes"]


def letter_boxes(where: Place, edges: list[tuple[float, float]], length: int) -> np.ndarray:
    """float32 (n,4), x0 y0 x1 y1 in 0..1: bounds of the pixels whose source is the letter's stretch of the line; edges in 0..length."""
    high, wide = where.s.shape
    bounds = np.array(edges, np.float32) / length - 0.5
    inside = np.abs(where.t) <= 0.5
    of_letter = (where.s >= bounds[:, 0, None, None]) & (where.s <= bounds[:, 1, None, None])
    of_letter &= inside
    columns, rows = of_letter.any(1), of_letter.any(2)
    found = columns.any(1)
    boxes = np.empty((len(edges), 4), np.float32)
    boxes[:, 0], boxes[:, 2] = columns.argmax(1), wide - columns[:, ::-1].argmax(1)
    boxes[:, 1], boxes[:, 3] = rows.argmax(1), high - rows[:, ::-1].argmax(1)
    for i in np.flatnonzero(~found):  # narrower than a pixel, or outside: the nearest pixel
        away = np.abs(where.s - bounds[i].mean()) + np.maximum(0, np.abs(where.t) - 0.5)
        column = int(away.argmin()) % wide
        down = np.flatnonzero(inside[:, column])
        y0, y1 = (int(down[0]), int(down[-1]) + 1) if len(down) else (0, high)
        boxes[i] = (column, y0, column + 1, y1)
    return boxes / np.array([wide, high, wide, high], np.float32)
