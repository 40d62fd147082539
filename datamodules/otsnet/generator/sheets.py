"""Drawn once and cropped for every picture: textures, noise, and backgrounds from a person's own pictures."""

import random
from pathlib import Path

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.pictures import read_picture

__all__ = ["Sheets"]

COUNT, HIGH, WIDE = 64, 96, 256
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class Sheets:
    """textures: float32 (64,96,256), mean 0, at most 1. noise: float32 (128,512,3). photos: float32 (n,3,96,256), 0..255."""

    def __init__(self, rng: np.random.Generator, backgrounds: Path | None) -> None:
        kinds = (_gradient, _blobs, _octaves, _stripes)
        self.textures = np.stack([_normal(kinds[i % 4](rng)) for i in range(COUNT)])
        self.noise = rng.standard_normal((128, 512, 3), dtype=np.float32)
        self.normals = np.ascontiguousarray(self.noise[:, :, 0])
        self.photos = _photos(rng, backgrounds)

    def texture(self, rng: random.Random, high: int, wide: int) -> np.ndarray:
        sheet = self.textures[rng.randrange(COUNT)]
        y, x = rng.randrange(HIGH - high + 1), rng.randrange(WIDE - wide + 1)
        part = sheet[y : y + high, x : x + wide]
        return part[:, ::-1] if rng.random() < 0.5 else part

    def photo(self, rng: random.Random, high: int, wide: int) -> np.ndarray:
        """float32 (3,high,wide)."""
        y, x = rng.randrange(HIGH - high + 1), rng.randrange(WIDE - wide + 1)
        return self.photos[rng.randrange(len(self.photos)), :, y : y + high, x : x + wide]

    def noise_crop(self, rng: random.Random, high: int, wide: int) -> np.ndarray:
        y, x = rng.randrange(self.noise.shape[0] - high + 1), rng.randrange(self.noise.shape[1] - wide + 1)
        return self.noise[y : y + high, x : x + wide]


def _normal(sheet: np.ndarray) -> np.ndarray:
    sheet = sheet - sheet.mean()
    return (sheet / max(1e-6, float(np.abs(sheet).max()))).astype(np.float32)


def _enlarged(field: np.ndarray) -> np.ndarray:
    return cv2.resize(field.astype(np.float32), (WIDE, HIGH), interpolation=cv2.INTER_CUBIC)


def _gradient(rng: np.random.Generator) -> np.ndarray:
    across, down = np.linspace(-1, 1, WIDE)[None, :], np.linspace(-1, 1, HIGH)[:, None]
    a, b = rng.uniform(-1, 1, 2)
    return a * across + b * down + rng.uniform(-1, 1) * across * down


def _blobs(rng: np.random.Generator) -> np.ndarray:
    return _enlarged(rng.standard_normal((rng.integers(3, 12), rng.integers(6, 30))))


def _octaves(rng: np.random.Generator) -> np.ndarray:
    falling = rng.uniform(0.5, 0.8)
    return sum((falling**i * _enlarged(rng.standard_normal((3 * 2**i, 8 * 2**i))) for i in range(6)), np.zeros((HIGH, WIDE)))


def _stripes(rng: np.random.Generator) -> np.ndarray:
    """Stripes of one direction, or courses of bricks with lighter joints."""
    across, down = np.arange(WIDE)[None, :], np.arange(HIGH)[:, None]
    if rng.random() < 0.5:
        angle, period = rng.uniform(0, np.pi), rng.uniform(5, 40)
        wave = np.sin((across * np.cos(angle) + down * np.sin(angle)) * 2 * np.pi / period + rng.uniform(0, 6))
        return np.clip(wave * rng.uniform(0.7, 4), -1, 1)
    high, wide, joint = rng.integers(8, 24), rng.integers(16, 60), rng.integers(1, 3)
    course = down // high
    x = across + (course % 2) * (wide // 2)
    bricks = rng.uniform(-0.3, 0.3, (HIGH // 8 + 1, (WIDE + 60) // 16 + 1))[course, x // wide]
    joints = (down % high < joint) | (x % wide < joint)
    return np.where(joints, rng.choice((-1, 1)), bricks) + 0.1 * rng.standard_normal((HIGH, WIDE))


def _photos(rng: np.random.Generator, folder: Path | None) -> np.ndarray:
    if folder is None:
        return np.zeros((0, 3, HIGH, WIDE), np.float32)
    if not folder.is_dir():
        raise DataError(f"backgrounds: {folder} is not a folder; name one with pictures in it")
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURES]
    if not paths:
        raise DataError(f"backgrounds: no picture ({', '.join(PICTURES)}) in {folder}; name a folder that has some")
    crops = []
    for i in range(COUNT):
        if i < len(paths):
            picture = read_picture(paths[i * len(paths) // min(COUNT, len(paths))])
        else:
            picture = read_picture(paths[int(rng.integers(len(paths)))])
        scale = max(HIGH / picture.shape[0], WIDE / picture.shape[1], rng.uniform(0.3, 1.0))
        size = (max(WIDE, round(picture.shape[1] * scale)), max(HIGH, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        y, x = rng.integers(picture.shape[0] - HIGH + 1), rng.integers(picture.shape[1] - WIDE + 1)
        crops.append(picture[y : y + HIGH, x : x + WIDE].transpose(2, 0, 1))
    return np.stack(crops).astype(np.float32)
