"""Training augmentation of uint8 pictures. The only file that imports albumentations, so that it can be replaced in one place."""

import os
import random
import types

import cv2
import numpy as np

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for a newer version when imported

import albumentations

__all__ = ["Augment", "WordAugment"]


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


class WordAugment:
    """RandAugment for pictures of words: a few different operations, each carried out with a chance. No flips: they make other letters.

    `augment(image, rng)` -> (image of the same size, whether anything in it was moved), with all randomness from the generator given.

    operations: how many different ones are drawn for a picture
    magnitude: 0 to 10; at 5 the limits below are halved
    chance: that an operation that was drawn is carried out
    """

    # At magnitude 10. Rotation in degrees; shear and translation as shares; blur and noise in pixels and grey values.
    LIMITS = types.MappingProxyType(
        {
            "autocontrast": 0.0, "equalise": 0.0, "invert": 0.0, "rotate": 30.0, "posterise": 4.0, "solarise": 256.0, "solarise_add": 110.0,
            "colour": 0.9, "contrast": 0.9, "brightness": 0.9, "shear_x": 0.9, "shear_y": 0.2, "translate_x": 0.1, "translate_y": 0.3,
            "blur": 4.0, "poisson": 40.0,
        }
    )  # fmt: skip
    MOVING = frozenset({"rotate", "shear_x", "shear_y", "translate_x", "translate_y"})

    def __init__(self, operations: int = 3, magnitude: float = 5.0, chance: float = 0.5):
        if not 0 <= operations <= len(self.LIMITS):
            raise ValueError(f"operations must be 0 to {len(self.LIMITS)}, got {operations}")
        if not 0 <= magnitude <= 10 or not 0 <= chance <= 1:
            raise ValueError(f"magnitude must lie in [0, 10] and chance in [0, 1], got {magnitude}, {chance}")
        self.operations, self.magnitude, self.chance = operations, magnitude, chance

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
        names = list(self.LIMITS)
        moved = False
        for number in rng.choice(len(names), self.operations, replace=False):
            name = names[number]
            carried_out, sign, strength = rng.random(3)
            if carried_out >= self.chance:
                continue
            level = self.LIMITS[name] * self.magnitude / 10
            image = _operate(name, image, level, -1 if sign < 0.5 else 1, strength, rng)
            moved |= name in self.MOVING
        return np.ascontiguousarray(image), moved


def _operate(name: str, image: np.ndarray, level: float, sign: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """One operation at this level; `sign` is its direction where it has one, `strength` a number in 0..1 where it is drawn, too."""
    height, width = image.shape[:2]
    pixels = np.arange(256, dtype=np.float32)
    if name == "autocontrast":
        low, high = image.min((0, 1)).astype(np.float32), image.max((0, 1)).astype(np.float32)
        return np.where(high > low, (image - low) * (255 / np.maximum(high - low, 1)), image).round().astype(np.uint8)
    if name == "equalise":
        return np.stack([cv2.equalizeHist(np.ascontiguousarray(image[:, :, channel])) for channel in range(3)], axis=2)
    if name == "invert":
        return 255 - image
    if name == "posterise":
        return image & np.uint8(256 - (1 << 8 - max(1, 8 - round(level))))  # level bits fewer
    if name == "solarise":
        return np.where(image >= 256 - level, 255 - image, image)
    if name == "solarise_add":
        return cv2.LUT(image, np.where(pixels < 128, np.minimum(pixels + level, 255), pixels).astype(np.uint8))
    if name in ("colour", "contrast", "brightness"):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        zero = {"colour": grey[:, :, None].astype(np.float32), "contrast": np.float32(grey.mean()), "brightness": np.float32(0)}[name]
        return np.clip(zero + (1 + sign * level) * (image - zero), 0, 255).round().astype(np.uint8)
    if name == "blur":
        sigma = min(level * strength, 0.02 * max(height, width))
        return image if sigma < 0.1 else cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    if name == "poisson":
        noise = rng.poisson(max(level * strength, 1e-3), image.shape) - level * strength  # ours: its mean is taken off
        return np.clip(image + noise, 0, 255).round().astype(np.uint8)
    by = sign * level
    matrix = {
        "rotate": cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), by, 1.0) if name == "rotate" else None,
        "shear_x": np.array([[1, by, -by * (height - 1) / 2], [0, 1, 0]]),
        "shear_y": np.array([[1, 0, 0], [by, 1, -by * (width - 1) / 2]]),
        "translate_x": np.array([[1, 0, by * width], [0, 1, 0]]),
        "translate_y": np.array([[1, 0, 0], [0, 1, by * height]]),
    }[name]
    # ours: the border is drawn out instead of filled with black, which no photograph of a word has
    return cv2.warpAffine(image, np.asarray(matrix, np.float64), (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
