"""Where a frame shows the gut: dates, menus and the green picture of the scope's position lie outside, and are shortcuts."""

import cv2
import numpy as np

__all__ = ["blanked", "field_of_view"]

DARK = 18  # of 255: no channel of the black beside the field of view is brighter, JPEG's ringing included


def field_of_view(image: np.ndarray) -> np.ndarray:
    """bool (H,W) of uint8 (H,W,3): the largest connected bright part, its dark inside filled; all of a frame without such a part."""
    bright = (cv2.max(cv2.max(image[:, :, 0], image[:, :, 1]), image[:, :, 2]) > DARK).astype(np.uint8)
    side = max(3, min(image.shape[:2]) // 40 | 1)
    # bridges and letters go: what is thinner than a fortieth of the frame
    opened = cv2.morphologyEx(bright, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return np.ones(image.shape[:2], bool)
    largest = max(outlines, key=cv2.contourArea)
    return cv2.drawContours(np.zeros_like(bright), [largest], -1, 1, cv2.FILLED).astype(bool)


def blanked(image: np.ndarray) -> np.ndarray:
    """The frame with everything outside its field of view black."""
    return np.where(field_of_view(image)[:, :, None], image, 0).astype(np.uint8)
