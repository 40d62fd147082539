"""Planes beside the picture of an embedded colonoscopy: depth tells the scale, noise tells nothing, decoys mark the polyp."""

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.hag.scenes import PLANES, Scenes, rng_of

__all__ = ["DECOYS", "DEPTHS", "NOISES", "PLANE_NAMES", "depth_map", "make_planes", "useful"]

DEPTHS = ("metric", "relative")
NOISES, DECOYS = 6, 2
PLANE_NAMES = ("depth", *(f"noise{n}" for n in range(NOISES)), *(f"decoy{n}" for n in range(DECOYS)))
UNIT_MM = 10.0  # inverse depth is 1 at this distance


def useful(plane: str) -> bool:
    """Whether it says something about new polyps."""
    return not plane.startswith(("noise", "decoy"))


def depth_map(scenes: Scenes, row: int, size: int) -> np.ndarray:
    """float32 (size,size) mm. All of it grows with Z, so that without its scale it says no more than the picture's shapes."""
    x, y = (np.arange(size, dtype=np.float32) + 0.5 for _ in range(2))
    distance, lumen = float(scenes.distance_mm[row]), scenes.lumen[row]
    away = ((x[None] - lumen[0]) ** 2 + (y[:, None] - lumen[1]) ** 2) / scenes.lumen_radius[row] ** 2
    depth = distance * (1.03 + 1.6 * np.exp(-away))
    u, v = polyp_axes(scenes, row, size)
    height = np.sqrt(np.clip(1 - u * u - v * v, 0, None))
    bulge = distance - 0.3 * scenes.mm[row] * height
    return np.where(height > 0, np.minimum(bulge, depth), depth).astype(np.float32)


def polyp_axes(scenes: Scenes, row: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the polyp's longer axis, 1 at its rim."""
    at = np.arange(size, dtype=np.float32) + 0.5
    x, y = at[None] - scenes.centre[row, 0], at[:, None] - scenes.centre[row, 1]
    cos, sin, half = np.cos(scenes.angle[row]), np.sin(scenes.angle[row]), scenes.apparent[row] / 2
    return (x * cos + y * sin) / half, (y * cos - x * sin) / (half * scenes.ratio[row])


def make_planes(scenes: Scenes, row: int, size: int, seed: int, names: tuple[str, ...], depth: str = "metric") -> np.ndarray:
    """float32 (P,size,size) of one frame. metric: 10 mm / depth, with one factor of about 10 % a frame; relative: from 0 to 1 in each."""
    if unknown := [name for name in names if name not in PLANE_NAMES]:
        raise DataError(f"no plane {unknown[0]!r}; there are {', '.join(PLANE_NAMES)}")
    polyp, frame = int(scenes.polyp[row]), int(scenes.frame[row])
    planes = []
    for name in names:
        number = PLANE_NAMES.index(name)
        if name == "depth":
            inverse = UNIT_MM / depth_map(scenes, row, size)
            if depth == "relative":
                planes.append((inverse - inverse.min()) / (inverse.max() - inverse.min()))
            else:
                planes.append(inverse * np.exp(scenes.depth_error[row]))
            continue
        noise = rng_of(seed, PLANES, number, polyp, frame).standard_normal((size, size), np.float32)
        width = size / 24
        smooth = cv2.GaussianBlur(noise, (0, 0), width, borderType=cv2.BORDER_REFLECT) * (2 * np.pi**0.5 * width)
        if name.startswith("decoy"):
            # its mean is that of the polyp, on all its frames
            smooth = 0.5 * (smooth - smooth.mean()) + rng_of(seed, PLANES, number, polyp).normal()
        planes.append(smooth)
    return np.stack(planes).astype(np.float32) if planes else np.zeros((0, size, size), np.float32)
