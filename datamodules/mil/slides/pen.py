"""Pen strokes and grey dirt on a small picture of a slide, told by colour. Hues are OpenCV's: 0 to 179."""

import cv2
import numpy as np

__all__ = ["grey_mask", "pen_mask"]

THICK = 5  # pixels: dark specks thinner than a stroke are nuclei and folds


def pen_mask(rgb: np.ndarray) -> np.ndarray:
    """bool (H,W). The bands were tried at 8 um a pixel on real strokes; "green" pen is teal."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    found = cv2.inRange(hsv, np.array([40, 61, 0]), np.array([105, 255, 255]))  # green and teal
    for low, high in (((106, 151, 0), (125, 255, 255)), ((0, 131, 0), (7, 255, 255)), ((175, 131, 0), (179, 255, 255))):  # blue, red, red
        found = cv2.bitwise_or(found, cv2.inRange(hsv, np.array(low), np.array(high)))
    black = cv2.inRange(hsv, np.array([0, 0, 0]), np.array([179, 255, 69]))
    black = cv2.morphologyEx(black, cv2.MORPH_OPEN, np.ones((THICK + 1, THICK + 1), np.uint8))
    colour = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    strokes = cv2.dilate(cv2.bitwise_or(colour, black), np.ones((5, 5), np.uint8))
    # ours: dark specks inside a stroke belong to it
    return cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0


def grey_mask(rgb: np.ndarray) -> np.ndarray:
    """bool (H,W): shades without colour that are darker than glass: dust, pencil, edges of the cover slip, shadows."""
    red, green, blue = cv2.split(rgb)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return (cv2.subtract(high, low) <= 12) & (high < 200)  # ours
