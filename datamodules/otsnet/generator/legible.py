"""Whether ink and its surround differ enough to be read."""

import cv2
import numpy as np

__all__ = ["LEAST_CONTRAST", "contrast"]

LEAST_CONTRAST = 18.0  # of 255


def contrast(shot: np.ndarray, ink: np.ndarray) -> float:
    """|mean luminance of the ink - that of what is around it|. shot: uint8 (H,W,3) RGB; ink: float32 (H,W) in 0..1."""
    grey = cv2.cvtColor(shot, cv2.COLOR_RGB2GRAY).ravel()
    around = (cv2.blur(ink, (9, 5)) * (1 - ink)).ravel()  # ours: the nearer to ink, the more it counts
    inked = (ink * ink).ravel()  # of half-covered pixels the covered ones speak
    return abs(float(grey @ inked) / (float(inked.sum()) + 1e-6) - float(grey @ around) / (float(around.sum()) + 1e-6))
