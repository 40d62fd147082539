"""Training augmentation of aligned faces: it stays within the aligner's own error, because a turned midline is no midline."""

import cv2
import numpy as np

from datamodules.errors import DataError

__all__ = ["FaceAugment"]


class FaceAugment:
    """`augment(image, rng)` -> (image of the same size, whether it was mirrored, where its pixels went), all randomness from the generator.

    Where pixels went is a (2,3) matrix of (x, y), for what has a place on the image.

    hflip: chance of mirroring
    jitter: how far brightness, contrast and saturation change
    turn: degrees, to either side
    shift: share of the frame, to any side
    """

    def __init__(self, hflip: float = 0.0, jitter: float = 0.2, turn: float = 4.0, shift: float = 0.02):
        if not 0 <= hflip <= 1 or not 0 <= jitter <= 1 or not 0 <= turn <= 45 or not 0 <= shift <= 0.5:
            raise DataError(
                f"augmentation: hflip {hflip} and jitter {jitter} lie in 0..1, turn {turn} in 0..45 degrees, shift {shift} in 0..0.5"
            )
        self.hflip, self.jitter, self.turn, self.shift = hflip, jitter, turn, shift

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool, np.ndarray]:
        chance = rng.random()
        brightness, contrast, saturation, angle, x, y = rng.uniform(-1, 1, 6)
        mirrored = bool(chance < self.hflip)
        moved = np.eye(3)
        if mirrored:
            image = image[:, ::-1]
            moved[0] = -1, 0, image.shape[1] - 1
        if self.turn or self.shift:
            size = image.shape[0]
            matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), self.turn * angle, 1.0)
            matrix[:, 2] += self.shift * size * np.array([x, y])
            moved = np.vstack([matrix, [0, 0, 1]]) @ moved
            image = cv2.warpAffine(
                np.ascontiguousarray(image), matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        if self.jitter:
            pixels = image.astype(np.float32) * (1 + self.jitter * brightness)
            pixels = pixels.mean() + (pixels - pixels.mean()) * (1 + self.jitter * contrast)
            grey = pixels.mean(2, keepdims=True)
            image = np.clip(grey + (pixels - grey) * (1 + self.jitter * saturation), 0, 255).round().astype(np.uint8)
        return np.ascontiguousarray(image), mirrored, moved[:2]
