"""Boxes of the regions from a face's own points: 5 (template.POINTS), 68 (iBUG's order) or 468 (the canonical mesh of MediaPipe).

A region whose points are not known has the template's box. Shapes: N points, R regions.
"""

from typing import NamedTuple

import numpy as np

from datamodules.ahan.template import BOXES, REGIONS
from datamodules.errors import DataError

__all__ = ["COUNTS", "MESH", "RegionBoxes", "five_of", "region_boxes", "template_boxes"]

GROW, LEAST = 1.25, 0.2  # of a box's sides about its centre; of the frame, at least
COUNTS = (5, 68, 468)


def _span(*ranges: tuple[int, int]) -> tuple[int, ...]:
    return tuple(at for low, high in ranges for at in range(low, high + 1))


IBUG = {"eyes": _span((17, 26), (36, 47)), "nose": _span((27, 35)), "mouth": _span((48, 67)), "jaw": _span((0, 16))}

# Which vertices of the mesh lie on what. "Right" is the subject's, which is the left of the image.
MESH = {
    "brow_right": (46, 52, 53, 55, 63, 65, 66, 70, 105, 107),
    "brow_left": (276, 282, 283, 285, 293, 295, 296, 300, 334, 336),
    "eye_right": (7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246),
    "eye_left": (249, 263, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466),
    "nose": (1, 2, 4, 5, 6, 19, 45, 48, 64, 94, 97, 98, 115, 168, 195, 197, 220, 275, 278, 294, 326, 327, 344, 440),
    "lips_outer": (0, 17, 37, 39, 40, 61, 84, 91, 146, 181, 185, 267, 269, 270, 291, 314, 321, 375, 405, 409),
    "lips_inner": (13, 14, 78, 80, 81, 82, 87, 88, 95, 178, 191, 308, 310, 311, 312, 317, 318, 324, 402, 415),
    "oval": (
        10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176,
        234, 251, 284, 288, 297, 323, 332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454,
    ),
}  # fmt: skip
OF_MESH = {
    "eyes": MESH["brow_right"] + MESH["brow_left"] + MESH["eye_right"] + MESH["eye_left"],
    "nose": MESH["nose"],
    "mouth": MESH["lips_outer"] + MESH["lips_inner"],
    "jaw": MESH["oval"],
}
EYES = {68: (_span((36, 41)), _span((42, 47))), 468: (MESH["eye_right"], MESH["eye_left"])}
SINGLE = {68: (30, 48, 54), 468: (1, 61, 291)}  # tip of the nose, corners of the mouth


class RegionBoxes(NamedTuple):
    boxes: np.ndarray  # float32 (R,4): x0, y0, x1, y1 as shares of the frame, in the order of template.REGIONS
    fallback: tuple[str, ...]  # regions whose box is the template's


def template_boxes() -> RegionBoxes:
    """Of a face whose points are not known."""
    return RegionBoxes(np.array(BOXES, np.float32), REGIONS)


def region_boxes(points_N2: np.ndarray, size: int) -> RegionBoxes:
    """points: (x, y) in pixels of the aligned frame of `size`; NaN where one is not known."""
    points = (_checked(points_N2) + 0.5) / size
    spans = _five(points) if len(points) == 5 else _many(points, IBUG if len(points) == 68 else OF_MESH)
    boxes, fallback = [], []
    for region, template in zip(REGIONS, BOXES, strict=True):
        box = _grown(spans[region])
        if box is None:
            fallback.append(region)
        boxes.append(template if box is None else box)
    return RegionBoxes(np.array(boxes, np.float32), tuple(fallback))


def five_of(points_N2: np.ndarray) -> np.ndarray:
    """(5,2), what an alignment needs: eye centres, tip of the nose, corners of the mouth."""
    points = _checked(points_N2)
    if len(points) == 5:
        return points
    eyes = [points[list(eye)].mean(0) for eye in EYES[len(points)]]
    return np.stack([*eyes, *points[list(SINGLE[len(points)])]])


def _checked(points_N2: np.ndarray) -> np.ndarray:
    points = np.asarray(points_N2, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) not in COUNTS:
        raise DataError(f"landmarks of the shape {points.shape}: {', '.join(map(str, COUNTS))} points (x, y) are known")
    return points


def _five(points_52: np.ndarray) -> dict[str, np.ndarray]:
    """(2,2): least and greatest x and y of each region, NaN where a point of it is not known. D is the distance of the eyes."""
    left, right, nose, mouth_left, mouth_right = points_52
    D = float(np.linalg.norm(right - left))
    mouth = (mouth_left + mouth_right) / 2
    wide = sorted((mouth_left[0], mouth_right[0]))
    tip, half = nose - (0, 0.25 * D), np.array([0.45 * D, 0.55 * D])
    return {
        "eyes": np.stack([np.minimum(left, right) - 0.45 * D, np.maximum(left, right) + 0.45 * D]),
        "nose": np.stack([tip - half, tip + half]),
        "mouth": np.array([[wide[0], mouth[1] - 0.35 * D], [wide[1], mouth[1] + 0.35 * D]]),
        "jaw": np.array([[mouth[0] - 1.1 * D, mouth[1]], [mouth[0] + 1.1 * D, mouth[1] + 1.2 * D]]),
    }


def _many(points_N2: np.ndarray, regions: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    spans = {}
    mouth = points_N2[list(regions["mouth"]), 1].mean()
    for region, places in regions.items():
        own = points_N2[list(places)]
        if region == "jaw":  # what of the outline lies below the mouth
            own = own[own[:, 1] >= mouth]
        spans[region] = np.stack([own.min(0), own.max(0)]) if len(own) else np.full((2, 2), np.nan)
    return spans


def _grown(span_22: np.ndarray) -> tuple[float, ...] | None:
    """The box to use, clipped to the frame; None where there is none, or where it lies outside of the frame."""
    if not np.isfinite(span_22).all():
        return None
    centre = span_22.mean(0)
    # ours: boxes of five points grow, too, which brings them nearest to the template's
    half = np.maximum(GROW * (span_22[1] - span_22[0]), LEAST) / 2
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return (*low.tolist(), *high.tolist()) if (high - low > 1e-3).all() else None
