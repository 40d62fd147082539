"""What may be a letter: connected ink of one size, darker or lighter than what lies around it.

Shapes: C pieces of ink. A picture is looked at in several sizes, so that here letters are of one size only.
"""

from typing import NamedTuple

import cv2
import numpy as np

__all__ = ["LARGEST", "Pieces", "letters_of"]

SMALLEST, LARGEST = 6, 52  # pixels of height, in the size that is looked at
WINDOW = 61  # pixels, of what lies around
LEAST = 9.0  # of 255, how far ink is from what lies around it
SHARE = 0.35  # and of the spread there
LONGEST = 16.0  # times its height: letters that touch are one piece
WIDE = 1.7  # times its height: a wider one must be several letters, or it is a rule or a frame
COLOURED = 0.6  # what a colour channel counts: it is noisier than brightness
SHARP = 0.28  # of its contrast, how steep the picture is at the edge of ink
MOST = 20_000  # pieces: a picture of sand has no words


class Pieces(NamedTuple):
    box_C4: np.ndarray  # float32, x0 y0 x1 y1
    ink_C: np.ndarray  # float32, pixels
    stroke_C: np.ndarray  # float32, about the width of the pen
    colour_C3: np.ndarray  # float32, of the ink
    contrast_C: np.ndarray  # float32, how far from what lies around
    lean_C: np.ndarray  # float32, how far to the right a pixel further down is: below 0 for italics
    letter_C: np.ndarray  # bool; the others are dots, dashes and specks

    def take(self, rows: np.ndarray) -> "Pieces":
        return Pieces(*(part[rows] for part in self))


def letters_of(picture: np.ndarray, dark: bool) -> Pieces:
    """Of a uint8 (H,W,3) picture: what is darker than its surround, or lighter."""
    apart, spread, steep = _apart(picture)
    apart = -apart if dark else apart
    noise = _noise(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    mask = (apart > np.maximum(max(LEAST, 3 * noise), SHARE * spread)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    x, y, wide, high, ink = (stats[:, column].astype(np.float32) for column in range(5))
    tell = _Telling(mask, labels, ink)
    colour = np.stack([tell.mean(picture[:, :, c]) for c in range(3)], 1)
    stroke = 4 * tell.mean(cv2.distanceTransform(mask, cv2.DIST_L2, 3)) - 1  # (w + 1) / 4, about, is the mean distance to its edge
    contrast = tell.mean(apart)
    fill = ink / np.maximum(wide * high, 1)
    solid = (fill > 0.88) & (wide > 0.6 * high)
    possible = (ink >= 4) & (high <= LARGEST) & (wide <= LONGEST * np.maximum(high, 4)) & (np.arange(count) > 0)
    letter = possible & (high >= SMALLEST) & (wide >= 2) & (fill > 0.08) & ~solid & (stroke < 0.6 * high)
    letter &= tell.rim_mean(mask, steep) > SHARP * contrast  # a halo of the surround's mean ends where nothing is
    for number in np.flatnonzero(letter & (wide > WIDE * high)).tolist():
        left, top, right, bottom = int(x[number]), int(y[number]), int(x[number] + wide[number]), int(y[number] + high[number])
        letter[number] = _runs(labels[top:bottom, left:right] == number) >= wide[number] / high[number]
    rows = np.flatnonzero(possible)
    if len(rows) > MOST:
        rows = np.sort(rows[np.argsort(-ink[rows], kind="stable")[:MOST]])
    return Pieces(np.stack([x, y, x + wide, y + high], 1), ink, stroke, colour, contrast, tell.lean(), letter).take(rows)


class _Telling:
    """Means over the ink of each piece; all else is passed by."""

    def __init__(self, mask: np.ndarray, labels: np.ndarray, ink: np.ndarray) -> None:
        self.at = np.flatnonzero(mask)
        self.of: np.ndarray = labels.ravel()[self.at]
        self.wide, self.count, self.ink = mask.shape[1], len(ink), np.maximum(ink, 1)

    def mean(self, values_HW: np.ndarray) -> np.ndarray:
        return self._mean(values_HW.ravel()[self.at])

    def _mean(self, values: np.ndarray) -> np.ndarray:
        return (np.bincount(self.of, values, self.count) / self.ink).astype(np.float32)

    def rim_mean(self, mask: np.ndarray, values_HW: np.ndarray) -> np.ndarray:
        """Over the pixels of the edge alone."""
        rim = cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=0).ravel()[self.at] == 0
        of = self.of[rim]
        return np.bincount(of, values_HW.ravel()[self.at][rim], self.count) / np.maximum(np.bincount(of, minlength=self.count), 1)

    def lean(self) -> np.ndarray:
        x, y = (self.at % self.wide).astype(np.float32), (self.at // self.wide).astype(np.float32)
        x, y = x - self._mean(x)[self.of], y - self._mean(y)[self.of]
        return self._mean(x * y) / np.maximum(self._mean(y * y), 0.5)


def _apart(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much lighter each pixel is than its surround, in brightness or in the colour that tells more; the spread there; how steep
    the picture is."""
    planes = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), *cv2.split(picture)]
    best = spread = steep = np.zeros(0, np.float32)
    for plane in planes:
        smooth = cv2.GaussianBlur(plane, (0, 0), 0.8).astype(np.float32)
        mean = cv2.blur(smooth, (WINDOW, WINDOW))
        apart = smooth - mean
        around = np.sqrt(np.maximum(cv2.blur(smooth * smooth, (WINDOW, WINDOW)) - mean * mean, 0))
        slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 8
        if not best.size:
            best, spread, steep = apart, around, slope
            continue
        more = np.abs(apart) * COLOURED > np.abs(best)
        scale = np.float32(COLOURED)
        best, spread = np.where(more, apart * scale, best), np.where(more, around * scale, spread)
        steep = np.maximum(steep, slope * scale)
    return best, spread, steep


def _runs(ink: np.ndarray) -> float:
    """How often a row of the piece meets ink, on the average of the rows between its top and bottom quarter."""
    rows = ink[len(ink) // 4 : max(len(ink) // 4 + 1, 3 * len(ink) // 4)]
    begins = rows & ~np.pad(rows, ((0, 0), (1, 0)))[:, :-1]
    return float(begins.sum(1).mean())


def _noise(grey: np.ndarray) -> float:
    """The spread of the noise, from the median of second differences: edges are rare among them."""
    second = cv2.Laplacian(grey, cv2.CV_32F)
    return float(np.median(np.abs(second))) / (0.6745 * np.sqrt(20.0)) * 0.5  # half: what smoothing leaves of it
