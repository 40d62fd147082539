"""A word generator in a few lines, of the shape of ours."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Drawn:
    image: np.ndarray
    label: str
    boxes: np.ndarray


class Generator:
    built = 0

    def __init__(self, profile="real", seed=0, charset="abc", difficulty=1.0, heldout=False, keep_ratio=False):
        Generator.built += 1
        self.settings = (int(heldout), seed)
        self.width, self.charset = (64, "ACE") if profile == "embedded" else (128, charset)
        self.keep_ratio = keep_ratio

    def draw(self, index):
        rng = np.random.default_rng([*self.settings, index])
        label = "".join(rng.choice(list(self.charset), rng.integers(2, 6)))
        width = 16 * len(label) if self.keep_ratio else self.width
        image = rng.integers(0, 256, (32, width, 3), dtype=np.uint8)
        edges = np.linspace(0, 1, len(label) + 1, dtype=np.float32)
        boxes = np.stack([edges[:-1], np.zeros(len(label)), edges[1:], np.ones(len(label))], 1).astype(np.float32)
        return Drawn(image, label, boxes)
