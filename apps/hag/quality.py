"""How much a frame says about its polyp: how sharp it is, not over-exposed, and how much of the box lies in the field of view (section 4).

The number weighs the frame in its polyp's size (aggregation); it changes no frame's own size.
"""

import cv2
import numpy as np

__all__ = ["DARK", "LEAST", "quality_of"]

SIDE = 256  # of the longer side, before sharpness is measured: it would depend on the resolution
DARK, BRIGHT = 12, 250  # grey values: outside of the field of view; a highlight
HALF_SHARP = 30.0  # variance of the Laplacian at which a frame counts half
LEAST = 0.05  # a bad frame is better than none


def quality_of(image: np.ndarray, box: np.ndarray | None) -> float:
    """image: uint8 (H,W,3) RGB. box: xmin, ymin, xmax, ymax in pixels; None: the whole frame.

    0 where nothing but darkness is to be seen. Else sharpness/(sharpness + 30) times the share of the box inside the field of view times
    the share of it that is no highlight, and never below 0.05 (ours).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if not (grey > DARK).any():
        return 0.0
    height, width = grey.shape
    scale = min(1.0, SIDE / max(height, width))
    if scale < 1:
        grey = cv2.resize(grey, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    low, high = np.zeros(2), np.array([width, height], float)
    if box is not None:
        low, high = np.asarray(box[:2], float), np.asarray(box[2:], float)
    asked = float(np.prod(np.maximum(high - low, 1e-9))) * scale**2
    x0, y0 = np.floor(np.clip(low * scale, 0, None)).astype(int)
    x1, y1 = np.maximum(np.ceil(high * scale).astype(int), (x0 + 1, y0 + 1))
    part = grey[y0:y1, x0:x1]
    if not part.size or not (part > DARK).any():
        return LEAST
    lit = part > DARK
    inside = min(1.0, float(lit.sum()) / asked) if box is not None else 1.0
    exposed = 1.0 - float((part[lit] >= BRIGHT).mean())
    sharp = float(cv2.Laplacian(part, cv2.CV_64F)[lit].var())
    return max(LEAST, inside * exposed * sharp / (sharp + HALF_SHARP))
