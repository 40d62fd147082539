"""The embedded set as batches: pictures drawn once and kept, so that every epoch shows the same."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.base import MADE
from datamodules.cache import cached
from datamodules.otsnet.charset import Charset, charset
from datamodules.otsnet.dataset import Made, at_size, sample
from datamodules.otsnet.table import SPLITS
from datamodules.otsnet.word_data import HALF, WordData
from datamodules.preprocess import Preprocess

__all__ = ["EmbeddedWords", "write_examples"]


class EmbeddedWords(WordData):
    """The embedded set: ten letters, words of two to five, half of them from a lexicon (32 x 64 pixels, no download).

    Args:
        batch_size: Of the global batch, over all processes.
        workers: Processes that load; 0 loads in the training process. Changes no result.
        seed: Of the order alone; which pictures are made, says pictures_seed.
        train: Pictures to train on, the same in every epoch.
        val: Pictures to validate on.
        test: Pictures to test on; like val's of words that training may show, and of strings that it never does.
        pictures_seed: Which pictures are made.
        cache: Folder in which made pictures are kept; null makes them anew.
    """

    licence = MADE

    def __init__(
        self,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        train: int = 6000,
        val: int = 300,
        test: int = 600,
        pictures_seed: int = 0,
        cache: str | None = None,
    ):
        super().__init__(batch_size, workers, seed)
        self.sizes = {"train": train, "val": val, "test": test}
        self.pictures_seed, self.cache = pictures_seed, cache
        self.charset, self.max_length = charset("ACEHLNOSTU"), 5
        self.preprocess = Preprocess((32, 64), "squash", 1.0, HALF, HALF)
        self._kept: dict[str, dict[str, np.ndarray]] = {}

    def setup(self, stage: str | None = None) -> None:
        if self.train_set is None:
            self.val_set, self.test_set = self._words("val"), self._words("test")
            self.train_set = self._words("train")

    def drawn(self, split: str) -> dict[str, np.ndarray]:
        """One split's pictures, labels (texts) and boxes; training never draws what validation and test are drawn from."""
        if split not in self._kept:
            from datamodules.otsnet.generator.generator import VERSION

            settings = {"profile": "embedded", "seed": 3 * self.pictures_seed + SPLITS.index(split), "heldout": split != "train"}
            keys = settings | {"n": self.sizes[split], "version": VERSION}
            made = Made(**settings)
            self._kept[split] = cached(self.cache, "embedded-words", keys, lambda: _drawn(made, self.sizes[split], self.max_length))
        return self._kept[split]

    def _words(self, split: str) -> "DrawnWords":
        return DrawnWords(self.drawn(split), self._before(split), self.preprocess, self.charset, self.slots)

    def _before(self, split: str) -> int:
        return sum(self.sizes[name] for name in SPLITS[: SPLITS.index(split)])

    def _found(self, number: int) -> tuple[dict[str, np.ndarray], int]:
        for split in SPLITS:
            if number < self.sizes[split]:
                return self.drawn(split), number
            number -= self.sizes[split]
        raise IndexError("no picture of this number")

    def truth(self, number: int) -> str:
        drawn, row = self._found(number)
        return str(drawn["labels"][row])

    def set_of(self, number: int) -> str:
        from datamodules.otsnet.generator import embedded_lexicon

        return "lexicon" if self.truth(number) in embedded_lexicon() else "random"

    def picture(self, number: int) -> np.ndarray:
        drawn, row = self._found(number)
        return drawn["images"][row]

    def training_labels(self) -> list[str]:
        return [str(label) for label in self.drawn("train")["labels"]]

    def examples(self, n: int) -> list[Tensor]:
        return [torch.from_numpy(image.copy()) for image in self.drawn("test")["images"][:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": "embedded words",
            "source": "made by datamodules.otsnet.generator",
            "parameters": {"pictures_seed": self.pictures_seed},
            "counts": dict(self.sizes),
            "fingerprint": _hash([self.drawn(split) for split in SPLITS]),
        }


class DrawnWords(Dataset[dict[str, Any]]):
    """Asked for an index, or for training for (turn, index)."""

    def __init__(self, drawn: dict[str, np.ndarray], first: int, preprocess: Preprocess, letters: Charset, slots: int):
        self.drawn, self.first = drawn, first
        self.preprocess, self.charset, self.slots = preprocess, letters, slots

    def __len__(self) -> int:
        return len(self.drawn["images"])

    def __getitem__(self, key: tuple[int, int] | int) -> dict[str, Any]:
        row = key[1] if isinstance(key, tuple) else key
        label = str(self.drawn["labels"][row])
        image = at_size(self.drawn["images"][row], self.preprocess)
        return sample(image, label, self.drawn["boxes"][row, : len(label)], self.first + row, self.charset, self.slots)


def _drawn(made: Made, count: int, longest: int) -> dict[str, np.ndarray]:
    rows = [made.draw(number) for number in range(count)]
    boxes = np.zeros((count, longest, 4), np.float32)
    for row, drawing in enumerate(rows):
        boxes[row, : len(drawing.label)] = drawing.boxes
    labels = np.array([drawing.label for drawing in rows], dtype=f"<U{longest}")
    return {"images": np.stack([drawing.image for drawing in rows]), "labels": labels, "boxes": boxes}


def write_examples(folder: Path, n: int) -> list[Path]:
    """n words as PNG files: inputs for a reader of the embedded set."""
    import cv2

    made, paths = Made(profile="embedded", seed=2, heldout=True), []
    for number in range(n):
        drawing = made.draw(number)
        paths.append(folder / f"{drawing.label}-{number}.png")
        cv2.imwrite(str(paths[-1]), np.ascontiguousarray(drawing.image[:, :, ::-1]))
    return paths


def _hash(parts: list[dict[str, np.ndarray]]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for name in sorted(part):
            digest.update(np.ascontiguousarray(part[name]).tobytes())
    return digest.hexdigest()
