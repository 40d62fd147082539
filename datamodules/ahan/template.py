"""The frame that every aligned face lies in: five points at 112 pixels, the boxes of the regions, and the way of a photograph into it.

Points are (x, y) in pixels of the image as it lies there: "left" is the image's left. A template of 112 x 96 pixels, which others use,
has 8 less in x; faces aligned to it are not comparable, so a stored face names its frame by `ALIGNER`.
"""

import numpy as np
import torch

from datamodules.ahan.framing import frame
from datamodules.errors import DataError

__all__ = [
    "ALIGNER",
    "BOXES",
    "POINTS",
    "REGIONS",
    "RESIDUAL",
    "SIDE",
    "TEMPLATE_52",
    "AlignmentError",
    "box_similarity",
    "face_similarity",
    "residual",
    "similarity",
    "template",
    "warp",
]

ALIGNER = "arcface-112"
SIDE = 112
POINTS = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")
TEMPLATE_52 = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])

REGIONS = ("eyes", "nose", "mouth", "jaw")
# x0, y0, x1, y1 as fractions of the frame; symmetric about x = 0.5, so that mirroring a face moves no box
BOXES = ((0.16, 0.30, 0.84, 0.58), (0.31, 0.44, 0.69, 0.74), (0.27, 0.70, 0.73, 0.94), (0.08, 0.72, 0.92, 1.00))

FLAT = 1e-3  # second to first spread of the points: below, they lie on one line
BOX_CENTRE, BOX_SIDE = (56.0, 60.0), 98.0  # ours: where the box of a detected face goes when nothing else is known


RESIDUAL = 8.0  # pixels of the 112 frame that five points may be away from it, root mean square; those of another order are further


class AlignmentError(DataError):
    """Points from which no frame follows, or none of a face."""


def template(size: int) -> np.ndarray:
    """(5,2): the five points in a frame of `size` pixels; pixel centres are scaled, not corners."""
    return (TEMPLATE_52 + 0.5) * size / SIDE - 0.5


def similarity(points_52: np.ndarray, size: int) -> np.ndarray:
    """(2,3): the rotation, uniform scale and shift that brings five points, or the two eyes, nearest to the template; never a reflection.

    Least squares of Umeyama (1991), in the brief's notation.
    """
    src = np.asarray(points_52, np.float64)
    if src.shape not in ((5, 2), (2, 2)):
        raise AlignmentError(f"points of the shape {src.shape}: give five (x, y), {', '.join(POINTS)}, or the two eyes")
    if not np.isfinite(src).all():
        raise AlignmentError(f"points with a coordinate that is no number: {src.round(1).tolist()}; detect the face again")
    dst = template(size)[: len(src)]
    src_c, dst_c = src - src.mean(0), dst - dst.mean(0)
    spread = np.linalg.svd(src_c, compute_uv=False)
    if spread[0] < 1e-6 or (len(src) > 2 and spread[1] < FLAT * spread[0]):
        raise AlignmentError(f"points that coincide or lie on one line: {src.round(1).tolist()}; detect the face again")
    U, sv, Vt = np.linalg.svd(dst_c.T @ src_c / len(src))
    S = np.diag([1.0, np.linalg.det(U) * np.linalg.det(Vt)])
    R = U @ S @ Vt
    scale = np.trace(np.diag(sv) @ S) / src_c.var(0).sum()
    if scale <= 0:
        raise AlignmentError(f"points that no turning brings near a face: {src.round(1).tolist()}; detect the face again")
    return np.column_stack([scale * R, dst.mean(0) - scale * R @ src.mean(0)])


def box_similarity(box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """(2,3) from a box (x, y, width, height) alone: coarse, for a face whose points are not known."""
    x, y, width, height = box
    side = max(width, height)
    if not np.isfinite(box).all() or min(width, height) <= 0:
        raise AlignmentError(f"box {box}: its sides must be positive numbers; detect the face again")
    scale = BOX_SIDE / side * size / SIDE
    centre = (np.array(BOX_CENTRE) + 0.5) * size / SIDE - 0.5
    return np.column_stack([scale * np.eye(2), centre - scale * np.array([x + (width - 1) / 2, y + (height - 1) / 2])])


def face_similarity(points_52: np.ndarray, size: int) -> np.ndarray:
    """As `similarity`, of five points that must lie as a face's do."""
    matrix = similarity(points_52, size)
    away = residual(points_52, matrix, size)
    if away > RESIDUAL:
        raise AlignmentError(
            f"bad_landmarks: points {away:.1f} pixels off a face's, {RESIDUAL:g} are allowed; are they in the order named?"
        )
    return matrix


def residual(points_52: np.ndarray, matrix_23: np.ndarray, size: int) -> float:
    """Root mean square distance of the moved points to the template, in pixels of the 112 frame."""
    moved = np.asarray(points_52, np.float64) @ matrix_23[:, :2].T + matrix_23[:, 2]
    away = moved - template(size)[: len(moved)]
    return float(np.sqrt((away**2).sum(1).mean()) * SIDE / size)


def warp(image: np.ndarray, matrix_23: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H,W,3) -> uint8 (size,size,3), bilinear, black where the photograph ends: as the exported program does it."""
    return frame(torch.from_numpy(np.ascontiguousarray(image)), torch.from_numpy(np.asarray(matrix_23, np.float64)), size).numpy()
