"""What the embedded words and words on disk have in common."""

import numpy as np

from datamodules.base import BaseData
from datamodules.otsnet.charset import Charset
from datamodules.preprocess import Preprocess

__all__ = ["HALF", "WordData"]

HALF = (0.5, 0.5, 0.5)  # value (p/255 - 0.5) / 0.5


class WordData(BaseData):
    """What a reader of words asks of its data: a charset, a greatest length, and the truth and the picture behind an id."""

    preload = ("datamodules.otsnet.dataset", "datamodules.transforms")
    charset: Charset
    max_length: int
    preprocess: Preprocess

    @property
    def slots(self) -> int:
        """Characters and one end."""
        return self.max_length + 1

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return list(self.charset.characters)

    def truth(self, number: int) -> str:
        """The text behind an id, as its source writes it."""
        raise NotImplementedError

    def set_of(self, number: int) -> str:
        """The set behind an id, which accuracy is reported by."""
        raise NotImplementedError

    def picture(self, number: int) -> np.ndarray:
        """The picture behind an id, uint8 (H,W,3)."""
        raise NotImplementedError

    def training_labels(self) -> list[str]:
        """Of all words on disk that are trained on: what makes a test word seen."""
        raise NotImplementedError

    def training_texts(self) -> list[str]:
        """The same as they are trained on."""
        return self.training_labels()
