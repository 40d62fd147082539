"""Uneven light: a ramp, the soft edge of a shadow, a bright reflection."""

import math
import random

import cv2
import numpy as np

from datamodules.otsnet.generator.recipe import Recipe

__all__ = ["light"]


def light(rng: random.Random, recipe: Recipe, planes: np.ndarray) -> None:
    """Changes planes, float32 (3,H,W), in place."""
    _, high, wide = planes.shape
    if rng.random() < recipe.share_ramp:
        angle, strength = rng.uniform(0, 2 * math.pi), 2 * rng.uniform(0, recipe.sigma_ramp)
        across = np.linspace(-0.5, 0.5, wide, dtype=np.float32) * np.float32(strength * math.cos(angle))
        down = np.linspace(-0.5, 0.5, high, dtype=np.float32) * np.float32(strength * math.sin(angle))
        planes *= 1 + across[None, :] + down[:, None]
    if rng.random() < recipe.share_soft_shadow:
        x0, x1 = rng.uniform(0, wide), rng.uniform(0, wide)
        corners = [(x0, -4), (x1, high + 4), (wide + 4, high + 4), (wide + 4, -4)]
        if rng.random() < 0.5:
            corners[2:] = [(-4, high + 4), (-4, -4)]
        shade = np.zeros((high, wide), np.float32)
        cv2.fillPoly(shade, [np.array(corners).astype(np.int32)], 1.0)
        soft = 2 * rng.randint(0, 4) + 3
        planes *= 1 - np.float32(rng.uniform(0.25, 0.6)) * cv2.blur(shade, (soft, soft))
    if rng.random() < recipe.share_specular:
        x, y, across, down = rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(4, 14), rng.uniform(2, 6)
        fall_x = np.exp(-0.5 * ((np.arange(wide, dtype=np.float32) - x) / across) ** 2)
        fall_y = np.exp(-0.5 * ((np.arange(high, dtype=np.float32) - y) / down) ** 2)
        planes += np.float32(rng.uniform(0.4, 0.9)) * (fall_y[:, None] * fall_x[None, :]) * (255 - planes)
