"""Planes beside the picture of an embedded colonoscopy: depth tells the scale, noise tells nothing, decoys mark the polyp."""

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.hag.scenes import PLANES, Scenes, rng_of

__all__ = ["DECOYS", "DEPTHS", "NOISES", "PLANE_NAMES", "depth_map", "gut_depth", "make_planes", "polyp_axes", "useful"]

DEPTHS = ("metric", "relative")
NOISES, DECOYS = 6, 2
PLANE_NAMES = ("depth", *(f"noise{n}" for n in range(NOISES)), *(f"decoy{n}" for n in range(DECOYS)))
UNIT_MM = 20.0  # inverse depth is 1 at this distance


def useful(plane: str) -> bool:
    """Whether it says something about new polyps."""
    return not plane.startswith(("noise", "decoy"))


def gut_depth(scenes: Scenes, row: int, size: int) -> np.ndarray:
    """float32 (size,size) mm of the wall behind the polyp: it is deepest where the gut goes on."""
    at = np.arange(size, dtype=np.float32) + 0.5
    lumen = scenes.lumen[row]
    away = ((at[None] - lumen[0]) ** 2 + (at[:, None] - lumen[1]) ** 2) / scenes.lumen_radius[row] ** 2
    return scenes.distance_mm[row] * (1.03 + 1.6 * np.exp(-away)).astype(np.float32)


def depth_map(scenes: Scenes, row: int, size: int) -> np.ndarray:
    """float32 (size,size) mm. All of it grows with Z, so that without its scale it says no more than the picture's shapes."""
    u, v = polyp_axes(scenes, row, size)
    inside = np.clip(1 - u * u - v * v, 0, None)
    wall, polyp = gut_depth(scenes, row, size), scenes.distance_mm[row] - 0.3 * scenes.mm[row] * np.sqrt(inside)
    return np.where(inside > 0, np.minimum(polyp, wall), wall)


def polyp_axes(scenes: Scenes, row: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the polyp's longer axis, 1 at its rim."""
    at = np.arange(size, dtype=np.float32) + 0.5
    x, y = at[None] - scenes.centre[row, 0], at[:, None] - scenes.centre[row, 1]
    cos, sin, half = np.cos(scenes.angle[row]), np.sin(scenes.angle[row]), scenes.apparent[row] / 2
    return (x * cos + y * sin) / half, (y * cos - x * sin) / (half * scenes.ratio[row])


def make_planes(scenes: Scenes, row: int, size: int, seed: int, names: tuple[str, ...], depth: str = "metric") -> np.ndarray:
    """float32 (P,size,size) of one frame. metric: 20 mm / depth, with one factor of about 10 % a frame; relative: from 0 to 1 in each."""
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
        coarse = max(2, size // 4)
        noise = rng_of(seed, PLANES, number, polyp, frame).standard_normal((coarse, coarse), np.float32)
        spread = coarse / 24
        smooth = cv2.GaussianBlur(noise, (0, 0), spread, borderType=cv2.BORDER_REFLECT) * (2 * np.pi**0.5 * spread)
        smooth = cv2.resize(smooth, (size, size), interpolation=cv2.INTER_CUBIC)
        if name.startswith("decoy"):
            # its mean is that of the polyp, on all its frames
            smooth = 0.5 * (smooth - smooth.mean()) + rng_of(seed, PLANES, number, polyp).normal()
        planes.append(smooth)
    return np.stack(planes).astype(np.float32) if planes else np.zeros((0, size, size), np.float32)
