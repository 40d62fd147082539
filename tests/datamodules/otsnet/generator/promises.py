"""How much of a word's ink a picture shows, measured apart from the generator: by the outline of the map in the line of letters."""

import cv2
import numpy as np

from datamodules.otsnet.generator.generator import Written


def share_of_ink_inside(written: Written) -> float:
    mask, (s, t) = written.line.mask, written.where
    high, wide = mask.shape
    x, y = (outline(s) + 0.5) * wide, (outline(t) + 0.5) * high
    covered = np.zeros((3 * high, 3 * wide), np.uint8)
    cv2.fillPoly(covered, [np.rint(np.stack([x + wide, y + high], 1)).astype(np.int32)], 1)
    return float((mask * covered[high : 2 * high, wide : 2 * wide]).sum() / mask.sum(dtype=np.int64))


def outline(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x[0], x[:, -1], x[-1, ::-1], x[::-1, 0]])
