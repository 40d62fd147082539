"""Training augmentation of uint8 pictures. The only file that imports albumentations, so that it can be replaced in one place."""

import os
import random

import cv2
import numpy as np

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for a newer version when imported

import albumentations

__all__ = ["Augment"]


class Augment:
    """Random-resized crop, shifts, flip, colour jitter, random erasing: `augment(image, rng)` with all randomness from the generator given.

    size: (height, width) of the result
    crop_scale: least and greatest share of the picture's area that the crop keeps; (1, 1) only resizes
    pad: black pixels put around the resized picture, out of which the size is cut at random: small shifts
    flip: left and right; off where chirality is the class (lettering, glyphs, many medical pictures)
    jitter: strength of brightness, contrast and saturation changes, 0 to 1
    erase: probability of one random rectangle filled with noise
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        crop_scale: tuple[float, float] = (0.5, 1.0),
        pad: int = 0,
        flip: bool = True,
        jitter: float = 0.2,
        erase: float = 0.0,
    ):
        low, high = crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_scale must be two shares with 0 < low <= high <= 1, got {low}, {high}")
        if not 0 <= jitter <= 1 or not 0 <= erase <= 1:
            raise ValueError(f"jitter and erase must lie in [0, 1], got {jitter}, {erase}")
        if pad < 0:
            raise ValueError(f"pad must not be negative, got {pad}")
        self.size, self.least = size, low
        self.resize = albumentations.RandomResizedCrop(size, scale=(low, high)) if low < 1 else albumentations.Resize(*size)
        self.steps: list[albumentations.BasicTransform] = [self.resize]
        if pad:
            self.steps += [albumentations.Pad(pad), albumentations.RandomCrop(*size)]
        if flip:
            self.steps.append(albumentations.HorizontalFlip(p=0.5))
        if jitter:
            bounds = (1 - jitter, 1 + jitter)
            self.steps.append(albumentations.ColorJitter(bounds, bounds, bounds, (0, 0), p=0.8))
        if erase:
            self.steps.append(albumentations.Erasing(scale=(0.02, 0.2), fill="random", p=erase))
        self._random = _Lent()

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        self._random.lend(rng)
        # INTER_AREA shrinks without aliasing, as evaluation does, but enlarges in blocks
        shrinks = self.least * image.shape[0] * image.shape[1] >= self.size[0] * self.size[1]
        self.resize.interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        for step in self.steps:
            step.set_random_state(rng, self._random)
            image = step(image=image)["image"]
        return np.ascontiguousarray(image)


class _Lent(random.Random):
    """Python's generator interface over a numpy generator: albumentations draws from both, and seeding a second generator for every
    sample costs more than all that is drawn from it."""

    def lend(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.gauss_next = None  # gauss() keeps its second number for the next call, which would be the next sample's

    def random(self) -> float:
        return self.rng.random()

    def getrandbits(self, k: int, /) -> int:
        return int.from_bytes(self.rng.bytes(-(-k // 8)), "little") >> (-k % 8)
