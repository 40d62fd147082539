"""Training frames enlarged or shrunk where the area is learned: the polyp stays whole, so its area goes with the square of the factor,
and the frame has the class of the area that it then shows.
"""

from math import exp, log

import cv2
import numpy as np

from datamodules.hag.areas import area_class

__all__ = ["AreaZoom", "enlarged"]

Zoomed = tuple[np.ndarray, np.ndarray | None, np.ndarray]


class AreaZoom:
    """`zoom(at, image, box, planes, rng)` -> image, box, planes, and the class of the area.

    most: the largest factor; a factor is as likely as its inverse. areas: share of the frame that is polyp, of every frame by place
    """

    def __init__(self, most: float, areas: np.ndarray):
        self.most, self.areas = most, areas

    def __call__(
        self, at: int, image: np.ndarray, box: np.ndarray | None, planes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, int]:
        draw, *aside = rng.random(3)
        extent = np.array([image.shape[1], image.shape[0]], np.float64)
        inside = np.concatenate([0 * extent, extent]) if box is None else box  # nobody knows where the polyp is: all of it stays
        factor = min(exp((2 * draw - 1) * log(self.most)), max(1.0, float((extent / np.maximum(1.0, inside[2:] - inside[:2])).min())))
        # The corner of the moved frame: enlarged it leaves no gap and keeps the box inside, shrunk it stays inside itself.
        low, high = np.zeros(2), (1 - factor) * extent
        if factor > 1:
            low, high = np.maximum(high, -factor * inside[:2]), np.minimum(low, extent - factor * inside[2:])
        moved = enlarged(image, box, planes, factor, low + np.array(aside) * (high - low))
        return *moved, int(area_class(self.areas[at] * factor**2))


def enlarged(image: np.ndarray, box: np.ndarray | None, planes: np.ndarray, factor: float, corner: np.ndarray) -> Zoomed:
    """All three by a factor, the frame's corner put where it is said, in pixels; what lacks beside a shrunk frame is black."""
    height, width = image.shape[:2]
    middle = corner + (factor - 1) / 2  # pixel 0 lies at 0.5
    matrix = np.array([[factor, 0.0, middle[0]], [0.0, factor, middle[1]]])
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height), flags=cv2.INTER_LINEAR)
    if len(planes):
        border = cv2.BORDER_REPLICATE  # a plane has no black beside it
        planes = np.stack([cv2.warpAffine(np.ascontiguousarray(p), matrix, (width, height), borderMode=border) for p in planes])
    return image, None if box is None else factor * box + np.tile(corner, 2), planes
