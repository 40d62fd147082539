"""What pictures give without a network: histograms of oriented gradients and of colour.

Shapes: S side, C cells a side, N pictures.
"""

import cv2
import numpy as np

__all__ = ["colour", "colours_by_stripe", "hog"]

BINS = 9  # orientations over half a turn


def hog(picture: np.ndarray, cell: int = 16) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005): cells, blocks of 2 x 2 cells one cell apart, L2 with clipping."""
    rows, columns = picture.shape[0] // cell, picture.shape[1] // cell
    grey = np.sqrt(picture[: rows * cell, : columns * cell].astype(np.float32) / 255)  # gamma, each channel
    down, right = np.gradient(grey, axis=(0, 1))
    strength = np.hypot(down, right)
    strongest = strength.argmax(2)[..., None]  # a pixel's channel of the largest gradient
    pick = lambda values: np.take_along_axis(values, strongest, 2)[..., 0]  # noqa: E731
    strength, angle = pick(strength), np.arctan2(pick(down), pick(right)) % np.pi / np.pi * BINS - 0.5
    below = np.floor(angle).astype(int)
    share = angle - below  # a vote is shared by the two nearest orientations
    place = (np.arange(rows * cell)[:, None] // cell * columns + np.arange(columns * cell) // cell) * BINS
    votes = np.zeros(rows * columns * BINS)
    for bins, weight in ((below % BINS, 1 - share), ((below + 1) % BINS, share)):
        votes += np.bincount((place + bins).ravel(), (strength * weight).ravel(), len(votes))
    cells = votes.reshape(rows, columns, BINS)
    blocks = np.concatenate([cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], 2)
    blocks /= np.linalg.norm(blocks, axis=2, keepdims=True) + 1e-6
    blocks = blocks.clip(max=0.2)
    blocks /= np.linalg.norm(blocks, axis=2, keepdims=True) + 1e-6
    return blocks.ravel().astype(np.float32)


def colour(picture: np.ndarray, grid: tuple[int, int] = (1, 1), bins: tuple[int, int, int] = (8, 4, 2)) -> np.ndarray:
    """The square root of a joint HSV histogram of sum 1 for each field of a grid, so that an inner product is Hellinger's affinity."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    fields = [part for band in np.array_split(hsv, grid[0], 0) for part in np.array_split(band, grid[1], 1)]
    limits = [0, 180, 0, 256, 0, 256]
    counts = [
        cv2.calcHist([np.ascontiguousarray(part)], [0, 1, 2], None, list(bins), limits).ravel() / part[..., 0].size for part in fields
    ]
    return np.sqrt(np.concatenate(counts)).astype(np.float32)


def colours_by_stripe(picture: np.ndarray, stripes: int = 8) -> np.ndarray:
    """Colour from head to foot. The bins were chosen on the training persons of pku59, among eleven such histograms."""
    return colour(picture, (stripes, 1), (8, 8, 4))
