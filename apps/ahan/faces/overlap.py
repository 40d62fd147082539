"""One face, one box: of boxes that cover each other the surest stays."""

import numpy as np

from apps.ahan.faces.face import Face

__all__ = ["LEAST_SCORE", "MOST_OVERLAP", "surest"]

LEAST_SCORE, MOST_OVERLAP = 0.5, 0.4  # as SCRFD and RetinaFace are commonly run


def surest(boxes_N4: np.ndarray, scores_N: np.ndarray, points_N52: np.ndarray | None) -> list[Face]:
    """Faces, largest first. boxes: x0, y0, x1, y1; those below LEAST_SCORE, without an area or without numbers are left out."""
    sides_N2 = boxes_N4[:, 2:] - boxes_N4[:, :2]
    good = (scores_N >= LEAST_SCORE) & np.isfinite(boxes_N4).all(1) & (sides_N2 > 0).all(1)
    kept: list[int] = []
    for i in np.flatnonzero(good)[np.argsort(-scores_N[good], kind="stable")]:
        if not kept or _shared(boxes_N4[i], boxes_N4[kept]).max() <= MOST_OVERLAP:
            kept.append(int(i))
    faces = []
    for i in kept:
        x, y, wide, high = (float(value) for value in (*boxes_N4[i, :2], *sides_N2[i]))
        points = None if points_N52 is None or not np.isfinite(points_N52[i]).all() else points_N52[i].astype(np.float64)
        faces.append(Face((x, y, wide, high), float(scores_N[i]), points))
    return sorted(faces, key=lambda face: -face.side)


def _shared(box_4: np.ndarray, others_N4: np.ndarray) -> np.ndarray:
    """Area of both by the area of either."""
    low, high = np.maximum(box_4[:2], others_N4[:, :2]), np.minimum(box_4[2:], others_N4[:, 2:])
    both = np.clip(high - low, 0, None).prod(1)
    return both / ((box_4[2:] - box_4[:2]).prod() + (others_N4[:, 2:] - others_N4[:, :2]).prod(1) - both)
