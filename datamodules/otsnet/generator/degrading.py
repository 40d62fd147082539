"""What camera and file do to a picture: blur, loss of resolution, noise, grey, gamma, JPEG once or twice."""

import random

import cv2
import numpy as np

from datamodules.otsnet.generator.recipe import Recipe
from datamodules.otsnet.generator.sheets import Sheets

__all__ = ["compressed", "photographed"]


def photographed(rng: random.Random, recipe: Recipe, sheets: Sheets, planes: np.ndarray) -> np.ndarray:
    """uint8 (H,W,3) RGB from float32 (3,H,W)."""
    _, high, wide = planes.shape
    picture = cv2.merge((planes[0], planes[1], planes[2]))
    kind = rng.random()
    if kind < recipe.share_blur:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(*recipe.blur))
    elif kind < recipe.share_blur + recipe.share_motion:
        picture = cv2.filter2D(picture, -1, MOTIONS[rng.randrange(len(MOTIONS))])
    elif kind < recipe.share_blur + recipe.share_motion + recipe.share_small:
        share = rng.uniform(*recipe.small)
        less = cv2.resize(picture, (round(wide * share), round(high * share)), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(less, (wide, high), interpolation=cv2.INTER_LINEAR)
    if rng.random() < recipe.share_noise:
        strength = 1 + rng.random() * max(0.0, recipe.sigma_noise - 1)
        picture += np.float32(strength) * sheets.noise_crop(rng, high, wide)
    if rng.random() < recipe.share_poisson:
        picture *= 1 + np.float32(rng.uniform(0.02, 0.12)) * sheets.noise_crop(rng, high, wide)
    shot = np.clip(picture, 0, 255, out=picture).astype(np.uint8)
    if rng.random() < recipe.share_grey:
        shot = cv2.cvtColor(cv2.cvtColor(shot, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < recipe.share_invert:
        shot = 255 - shot
    if rng.random() < recipe.share_gamma:
        shot = cv2.LUT(shot, (255 * LEVELS ** rng.uniform(*recipe.gamma)).astype(np.uint8))
    return shot


def compressed(rng: random.Random, recipe: Recipe, shot: np.ndarray) -> np.ndarray:
    """Through JPEG once, twice or not at all."""
    if rng.random() < recipe.share_jpeg:
        shot = _through_jpeg(shot, rng.randint(*recipe.jpeg))
        if rng.random() < recipe.share_second_jpeg / max(recipe.share_jpeg, 1e-9):
            shot = _through_jpeg(shot, rng.randint(*recipe.jpeg))
    return shot


def _motions() -> list[np.ndarray]:
    """Five taps in a row: across, down and the two diagonals."""
    across, diagonal = np.zeros((5, 5), np.float32), np.eye(5, dtype=np.float32) / 5
    across[2] = 0.2
    return [across, np.ascontiguousarray(across.T), diagonal, np.ascontiguousarray(diagonal[::-1])]


MOTIONS = _motions()
LEVELS = np.arange(256) / 255


def _through_jpeg(shot: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(shot, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert back is not None  # OpenCV has just written it
    return cv2.cvtColor(back, cv2.COLOR_BGR2RGB)
