"""Pen strokes and grey dirt on a small picture of a slide, told by colour. Hues are OpenCV's: 0 to 179."""

import cv2
import numpy as np

__all__ = ["grey_mask", "pen_mask"]

THICK = 5  # pixels: dark specks thinner than a stroke are nuclei and folds


def pen_mask(rgb: np.ndarray) -> np.ndarray:
    """bool (H,W). The bands were tried at 8 um a pixel on real strokes; "green" pen is teal."""
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    green = (hue >= 40) & (hue <= 105) & (saturation > 60)
    blue = (hue >= 106) & (hue <= 125) & (saturation > 150)
    red = ((hue < 8) | (hue > 174)) & (saturation > 130)
    black = cv2.morphologyEx((value < 70).astype(np.uint8), cv2.MORPH_OPEN, np.ones((THICK + 1, THICK + 1), np.uint8))
    colour = cv2.morphologyEx((green | blue | red).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    strokes = cv2.dilate(cv2.bitwise_or(colour, black), np.ones((5, 5), np.uint8))
    # ours: dark specks inside a stroke belong to it
    return cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0


def grey_mask(rgb: np.ndarray) -> np.ndarray:
    """bool (H,W): shades without colour that are darker than glass: dust, pencil, edges of the cover slip, shadows."""
    low, high = rgb.min(axis=2), rgb.max(axis=2)
    return (high - low <= 12) & (high < 200)  # ours
