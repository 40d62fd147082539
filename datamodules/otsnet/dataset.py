"""Words as tensors: from a table, and made by number. Imported by workers: no Lightning here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.errors import DataError
from datamodules.order import AGAIN, Turn, sample_rng
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.crops import crop
from datamodules.otsnet.table import Boxes, Word
from datamodules.pictures import decode
from datamodules.preprocess import Preprocess
from datamodules.store import Store

__all__ = [
    "Drawing",
    "Made",
    "MadeWords",
    "Rising",
    "TrainingWords",
    "WordDataset",
    "at_size",
    "load_word",
    "relative",
    "sample",
    "shown_columns",
]


ATTEMPTS, FAR = 64, 2**48


class Drawing(Protocol):
    """A picture of a word, with the box of every character in 0..1 of it."""

    @property
    def image(self) -> np.ndarray: ...
    @property
    def label(self) -> str: ...
    @property
    def boxes(self) -> np.ndarray: ...


class Made:
    """A word generator that is built where it is first asked, so that workers are sent its settings alone."""

    def __init__(self, **settings: Any):
        self.settings = settings
        self._generator: Any = None

    def draw(self, index: int, difficulty: float | None = None) -> Drawing:
        """difficulty: None: as the settings say"""
        if self._generator is None:
            from datamodules.otsnet.generator import Generator

            self._generator = Generator(**self.settings)
        if difficulty is not None and difficulty != self._generator.difficulty:
            self._generator.set_difficulty(difficulty)
        return self._generator.draw(index)

    def __getstate__(self) -> dict:
        return {"settings": self.settings, "_generator": None}


def sample(image: Tensor, label: str, boxes: np.ndarray | None, number: int, charset: Charset, slots: int) -> dict[str, Any]:
    """One row of a batch. boxes: in 0..1 of the picture; in the row of all that the model is shown, which of a padded picture is wider.
    A box that is not known is NaN.
    """
    boxes_L4 = np.full((slots - 1, 4), np.nan, np.float32)
    if boxes is not None and len(boxes) == len(label):
        boxes_L4[: len(label)] = np.clip(boxes, 0, 1).reshape(-1, 4)
        boxes_L4[:, ::2] *= shown_columns(image) / image.shape[2]
    return {"images": image, "tokens": charset.encode(label, slots), "boxes": torch.from_numpy(boxes_L4), "id": number}


def shown_columns(image: Tensor) -> int:
    """How many columns of what the model is shown (3,H,W) are the picture: those that are not NaN."""
    return int((~image[0, 0].isnan()).sum())


def at_size(picture: np.ndarray, preprocess: Preprocess) -> Tensor:
    """What `preprocess` makes of a picture; of one that needs no resizing the same without it, in a third of the time."""
    image = torch.from_numpy(np.ascontiguousarray(picture))
    lacking = preprocess.width - picture.shape[1]
    if picture.shape[0] != preprocess.height or lacking < 0 or (lacking and preprocess.fit != "pad"):
        return preprocess(image)
    x = preprocess.normalise(image.permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format))
    return torch.nn.functional.pad(x, (0, lacking), value=torch.nan) if lacking else x


class WordDataset(Dataset[dict[str, Any]]):
    """Words of a table, whose labels are made fit already (`texts`); `id` is the row of the table."""

    def __init__(
        self, store: Store, records: list[Word], texts: list[str], rows: list[int], preprocess: Preprocess, charset: Charset, slots: int
    ):
        self.store, self.records, self.texts, self.rows = store, records, texts, rows
        self.preprocess, self.charset, self.slots = preprocess, charset, slots

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        picture = load_word(self.store, self.records[index])
        return self.ready(picture, index)

    def ready(self, picture: np.ndarray, index: int, *, moved: bool = False) -> dict[str, Any]:
        """moved: the picture was changed in a way that leaves the boxes where they are no longer true"""
        record, text = self.records[index], self.texts[index]
        boxes = None if moved or text != record.label else relative(record.boxes, picture)
        return sample(self.preprocess(torch.from_numpy(picture)), text, boxes, self.rows[index], self.charset, self.slots)


@dataclass(frozen=True)
class Rising:
    """The difficulty of made training words, which rises over the first epochs: by their number alone, so that it is the same in any
    process and after a resume. Every epoch begins with a number that is a multiple of `epoch`, and shows `shown` of them on the average.
    """

    highest: float
    epochs: float
    epoch: int
    shown: float

    def __call__(self, number: int) -> float:
        from datamodules.otsnet.generator.recipe import curriculum

        turn, place = divmod(number, self.epoch)
        return self.highest * curriculum((turn + min(1.0, place / self.shown)) / self.epochs)


class MadeWords(Dataset[dict[str, Any]]):
    """The generator's pictures `first` to `first + count`. An id below 0 is a picture of the generator: -1 - its number.

    difficulty: of a picture by its number; None: of all alike
    """

    def __init__(
        self,
        made: Made,
        first: int,
        count: int,
        preprocess: Preprocess,
        charset: Charset,
        slots: int,
        difficulty: Callable[[int], float] | None = None,
    ):
        self.made, self.first, self.count, self.difficulty = made, first, count, difficulty
        self.preprocess, self.charset, self.slots = preprocess, charset, slots

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return self.numbered(self.first + index)

    def drawn(self, number: int) -> Drawing:
        """The generator's picture of this number; where its word is too long for the slots, of a number far behind it."""
        for attempt in range(ATTEMPTS):
            drawing = self.made.draw(number + attempt * FAR, None if self.difficulty is None else self.difficulty(number))
            if 0 < len(drawing.label) < self.slots:
                return drawing
        raise DataError(f"{ATTEMPTS} made words in a row have more than {self.slots - 1} characters; raise max_length")

    def numbered(self, number: int) -> dict[str, Any]:
        drawn = self.drawn(number)
        return sample(at_size(drawn.image, self.preprocess), drawn.label, drawn.boxes, -1 - number, self.charset, self.slots)


class TrainingWords(Dataset[dict[str, Any]]):
    """Asked for (turn, index): words of a table first, augmented; then made ones, which no epoch shows again."""

    def __init__(self, words: WordDataset | None, made: MadeWords | None, seed: int, augment: Any):
        self.words, self.made, self.seed, self.augment = words, made, seed, augment

    def __len__(self) -> int:
        return self.real + (0 if self.made is None else len(self.made))

    @property
    def real(self) -> int:
        return 0 if self.words is None else len(self.words)

    def __getitem__(self, key: Turn) -> dict[str, Any]:
        turn, index = key
        if index >= self.real:
            assert self.made is not None
            return self.made.numbered(self.made.first + turn % AGAIN * len(self.made) + index - self.real)
        assert self.words is not None
        picture = load_word(self.words.store, self.words.records[index])
        if self.augment is None:
            return self.words.ready(picture, index)
        changed, moved = self.augment(picture, sample_rng(self.seed, turn, index))
        return self.words.ready(changed, index, moved=moved)


def relative(boxes: Boxes | np.ndarray | None, picture: np.ndarray) -> np.ndarray | None:
    """Boxes in 0..1 of the picture."""
    if boxes is None:
        return None
    height, width = picture.shape[:2]
    return np.asarray(boxes, np.float32).reshape(-1, 4) / np.array([width, height, width, height], np.float32)


def load_word(store: Store, record: Word) -> np.ndarray:
    """uint8 (H,W,3)."""
    name = store.where(record.file)
    picture = decode(store.read(record.file), name)
    return picture if record.quad is None else crop(picture, record.quad, record.where or name)
