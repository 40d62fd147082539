"""Words with what is known of them: a set with its labels, pictures without any, or made words.

Shapes: T characters.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.base.predict.reader import read_ahead
from apps.otsnet.crops import AHEAD, crops_of
from datamodules.otsnet.charset import Charset
from datamodules.otsnet.dataset import Made, MadeWords, load_word, relative
from datamodules.otsnet.generator.embedded import ALPHABET
from datamodules.otsnet.layouts import KNOWN, Layout
from datamodules.otsnet.normalise import for_training
from datamodules.otsnet.table import Table
from datamodules.preprocess import Preprocess

__all__ = ["Known", "MadeOnes", "NamedOnes"]


class Known(NamedTuple):
    name: str
    picture: np.ndarray | None  # uint8 (H,W,3)
    error: str | None = None
    truth: str | None = None  # what it says, in the reader's charset
    boxes_T4: np.ndarray | None = None  # of its characters, in 0..1 of the picture


class NamedOnes:
    """Iterate over the words that a user names: of a set in any layout with their labels, of all else as `read` finds them.

    total: how many there are, where that is known before. problems: of the sets' lists; skipped and unmatched: as of Crops.
    """

    def __init__(self, named: Sequence[str], about: dict[str, Any]) -> None:
        self._named = [(word, _set_at(word)) for word in named]
        self._charset, self._longest = Charset(about["charset"]), about["max_length"]
        tables = [table for _, table in self._named if table is not None]
        self.total = sum(len(table.records) for table in tables) if len(tables) == len(named) else None
        self.problems = [problem for table in tables for problem in table.problems]
        self.skipped, self.unmatched = 0, []

    def __iter__(self) -> Iterator[Known]:
        for word, table in self._named:
            if table is not None:
                yield from self._of_set(table)
                continue
            crops = crops_of([word])
            for crop in crops:
                yield Known(crop.name, crop.picture, crop.error)
            self.skipped += crops.skipped
            self.unmatched += crops.unmatched

    def _of_set(self, table: Table) -> Iterator[Known]:
        def load(row: int) -> np.ndarray:
            return load_word(table.store, table.records[row])

        with closing(read_ahead(range(len(table.records)), load, AHEAD, bursts=True)) as items:
            for row, picture, error in items:
                record = table.records[row]
                text = for_training(record.label, self._charset, self._longest)
                # boxes are of the label's characters, in the order of the source
                boxes_T4 = relative(record.boxes, picture) if picture is not None and text.text == record.label else None
                yield Known(table.store.where(record.file), picture, error, None if text.fault else text.text, boxes_T4)


class MadeOnes:
    """Iterate over the first `count` words of a seed in the reader's charset: those that training on made words begins with."""

    def __init__(self, count: int, seed: int, about: dict[str, Any]) -> None:
        # of exactly the letters of the embedded set: that set's pictures
        embedded, kept = about["charset"] == ALPHABET, about["preprocessing"]["fit"] == "pad"
        profile = {"profile": "embedded"} if embedded else {"profile": "real", "charset": about["charset"], "keep_ratio": kept}
        made = Made(**profile, seed=seed)
        self._words = MadeWords(made, 0, count, Preprocess(**about["preprocessing"]), Charset(about["charset"]), about["slots"])
        self.total, self.problems, self.skipped, self.unmatched = count, [], 0, []

    def __iter__(self) -> Iterator[Known]:
        for number in range(len(self._words)):
            drawn = self._words.drawn(number)
            yield Known(f"made {number}", drawn.image, None, drawn.label, drawn.boxes)


def _set_at(word: str) -> Table | None:
    """The labelled set that lies there, if any."""
    path = Path(word)
    kind = next((kind for kind in KNOWN if kind.matches(path)), None) if path.exists() else None
    table = None if kind is None else Layout(kind, path).as_it_is()
    return table if table is not None and table.records else None
