"""Large photographs are searched in a smaller copy: a face of interest is large in them, too."""

import cv2
import numpy as np

__all__ = ["LONGEST", "smaller"]

LONGEST = 1024  # pixels; ours


def smaller(image: np.ndarray) -> tuple[np.ndarray, float]:
    """(the picture with its longer side at LONGEST or less, how many of its pixels one of the photograph is)."""
    by = LONGEST / max(image.shape[:2])
    if by >= 1:
        return image, 1.0
    size = tuple(max(1, round(side * by)) for side in (image.shape[1], image.shape[0]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), by
