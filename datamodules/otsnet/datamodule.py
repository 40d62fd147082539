"""Words on disk as batches, mixed with made ones or not."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import NOT_STATED
from datamodules.errors import DataError
from datamodules.headers import probe
from datamodules.order import Loader
from datamodules.otsnet.charset import charset as charset_of
from datamodules.otsnet.crops import quad_size
from datamodules.otsnet.dataset import Made, MadeWords, Rising, TrainingWords, WordDataset, load_word
from datamodules.otsnet.embedded_words import EmbeddedWords
from datamodules.otsnet.fitting import fit
from datamodules.otsnet.joining import join
from datamodules.otsnet.layouts import Named, read
from datamodules.otsnet.mixing import MixedOrder, Source, length_weights
from datamodules.otsnet.table import SPLITS, Table, Word
from datamodules.otsnet.word_data import HALF, WordData
from datamodules.preprocess import Preprocess
from datamodules.store import fingerprint
from datamodules.usable import left_out, usable

__all__ = ["EmbeddedWords", "Words"]


HELD_OUT = 1000  # ours: pictures to validate and to test on, where nothing lies on disk


class Words(WordData):
    """Words on disk (datamodules.otsnet.layouts says what can be read), mixed with made ones or not; or made ones alone.

    Args:
        path: Folder, list, archive or database, or several of them, in any layout that `discern data check` recognises. null: made words.
        batch_size: Of the global batch, over all processes.
        workers: Processes that load; 0 loads in the training process. Changes no result.
        seed: Of the order, of augmentation and of made words.
        layout: How the words lie there; auto recognises it.
        charset: 36, 62, 94, 95 (with the blank), or the characters themselves.
        max_length: Longer labels are left out and counted.
        image_size: Height and width that every picture is stretched to.
        keep_ratio: Pictures keep their shape instead: as high as image_size says, at most as wide; nobody looks at what is right of them.
        weights: How often each training set is drawn, by its name, relatively; null takes every word equally often.
        generated_share: Of the training samples, how many are made.
        samples: Of an epoch; 0: as many as show every word on disk once on average.
        profile: Of made words.
        difficulty: Of made words, 0 to 1.
        curriculum: Epochs over which the difficulty of made training words rises from 0.3 of itself to all of it; 0: all from the start.
        balance_lengths: Draw words of rare lengths more often, as count^-0.5 of the length.
        augment: Change training pictures from disk at random; made ones vary by themselves.
        magnitude: How strongly, 0 to 10.
        min_side: Pictures with a shorter side are left out and counted.
        strict: A character that the charset has not is an error, not left out of the label and counted.
        skip_broken: Leave out what is broken, with a count, instead of refusing the whole set.
        licence: A note for the data card and for exported files.
    """

    def __init__(
        self,
        path: str | list[str] | None = None,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        layout: Named = "auto",
        charset: str = "94",
        max_length: int = 25,
        image_size: tuple[int, int] = (32, 128),
        keep_ratio: bool = False,
        weights: dict[str, float] | None = None,
        generated_share: float = 0.0,
        samples: int = 0,
        profile: Literal["real", "easy"] = "real",
        difficulty: float = 1.0,
        curriculum: float = 0.0,
        balance_lengths: bool = False,
        augment: bool = True,
        magnitude: float = 5.0,
        min_side: int = 0,
        strict: bool = False,
        skip_broken: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(batch_size, workers, seed)
        self.paths = [] if path is None else [path] if isinstance(path, str) else list(path)
        if not 0 <= generated_share <= 1:
            raise DataError(f"generated_share={generated_share}: a share lies in 0 to 1")
        if not self.paths and generated_share != 1:
            raise DataError(
                "no path: name words (--data.path=WORDS), or set generated_share to 1 for made ones alone; "
                "a recipe that changes another, such as ctc, goes behind it: --config embedded --config ctc"
            )
        if max_length < 1 or samples < 0 or min_side < 0:
            raise DataError(f"max_length={max_length}, samples={samples}, min_side={min_side}: at least 1, 0 and 0")
        if generated_share == 1:
            if not samples:
                raise DataError("generated_share=1: made words have no end; say with samples how many an epoch has")
            unused = {
                "weights": weights is not None,
                "balance_lengths": balance_lengths,
                "augment": not augment,
                "magnitude": magnitude != 5,
            }
            if given := [name for name, is_given in unused.items() if is_given]:
                raise DataError(f"{given[0]}: belongs to training words on disk, and generated_share=1 trains on none; leave it out")
        if curriculum < 0:
            raise DataError(f"curriculum={curriculum}: epochs, 0 or more")
        if generated_share == 0 and (profile != "real" or difficulty != 1 or curriculum):
            raise DataError("profile, difficulty and curriculum belong to made words; raise generated_share, or say curriculum=0")
        if weights is not None and balance_lengths:
            raise DataError("weights and balance_lengths both say how often a word is drawn; leave one out")
        if not augment and magnitude != 5:
            raise DataError("magnitude belongs to augment, which is off; leave it out")
        self.layout: Named = layout
        self.charset, self.max_length = charset_of(charset), max_length
        self.preprocess = Preprocess(tuple(image_size), "pad" if keep_ratio else "squash", 1.0, HALF, HALF)
        self.keep_ratio, self.weights, self.generated_share, self.samples = keep_ratio, weights, generated_share, samples
        self.profile, self.difficulty, self.curriculum = profile, difficulty, curriculum
        self.balance_lengths, self.augment, self.magnitude = balance_lengths, augment, magnitude
        self.min_side, self.strict, self.skip_broken, self.licence = min_side, strict, skip_broken, licence
        self.skipped: Sequence[str] = ()

    @cached_property
    def table(self) -> Table:
        """Every usable word. Reading it refuses, or with `skip_broken` leaves out, what is broken."""
        tables = [read(path, self.layout) for path in self.paths]
        names = _short_names(self.paths)
        table = tables[0] if len(tables) == 1 else join("several", Path(", ".join(self.paths)), dict(zip(names, tables, strict=True)))
        kept, self.skipped = usable(table.source, table.store, table.records, table.problems, self.skip_broken, self.say)
        notes = [*table.notes, *([left_out(self.skipped)] if self.skipped else [])]
        if self.min_side:
            large = [record for record in kept if self._side(table, record) >= self.min_side]
            notes += [f"{len(kept) - len(large)} pictures with a side below {self.min_side} pixels, left out"] * (len(large) < len(kept))
            kept = large
        fitted = fit(kept, self.charset, self.max_length, strict=self.strict)
        self.texts = [text for _, text in fitted.words]
        for words in (more := fitted.notes()):
            self.say(f"{table.source}: {words}")
        return replace(table, records=[record for record, _ in fitted.words], problems=[], notes=[*notes, *more])

    @staticmethod
    def _side(table: Table, record: Word) -> int:
        if record.quad is not None:
            return min(quad_size(record.quad))
        header = probe(table.store.read(record.file))
        return min(header.width, header.height) if header else 0

    def rows(self, split: str) -> list[int]:
        return [row for row, record in enumerate(self.table.records) if record.split == split] if self.paths else []

    def setup(self, stage: str | None = None) -> None:
        if self.val_set is None:
            if self.paths:
                self.val_set, self.test_set = self._words("val"), self._words("test")
            else:
                self.val_set, self.test_set = (self._made(number, held_out=True, count=HELD_OUT) for number in range(2))
        if self.train_set is None and stage in (None, "fit"):
            augment = None
            if self.augment and self.generated_share < 1:
                from datamodules.transforms import WordAugment  # brings albumentations, 2 s; only training needs it

                augment = WordAugment(magnitude=self.magnitude)
            words = self._words("train") if self.generated_share < 1 else None
            if words is not None and not len(words):
                raise DataError(f"{self.table.source}: no training word is left; see 'discern data check'")
            made = self._made(0, held_out=False, count=self.slots_of_epoch) if self.generated_share else None
            self.train_set = TrainingWords(words, made, self.seed, augment)

    @property
    def slots_of_epoch(self) -> int:
        return self.samples or round(len(self.rows("train")) / (1 - self.generated_share))

    def _words(self, split: str) -> WordDataset:
        rows = self.rows(split)
        records, texts = [self.table.records[row] for row in rows], [self.texts[row] for row in rows]
        return WordDataset(self.table.store, records, texts, rows, self.preprocess, self.charset, self.slots)

    def _made(self, part: int, *, held_out: bool, count: int) -> MadeWords:
        rising = None if held_out or not self.curriculum else self._rising
        return MadeWords(self._drawers[held_out], part * count, count, self.preprocess, self.charset, self.slots, rising)

    @property
    def _rising(self) -> Rising:
        epoch = self.slots_of_epoch
        return Rising(self.difficulty, self.curriculum, epoch, epoch * self.generated_share)

    @cached_property
    def _drawers(self) -> dict[bool, Made]:
        """By held_out. One for all: a new one searches fonts and draws sheets first, which takes as long as fifty words."""
        settings = {"profile": self.profile, "seed": self.seed, "charset": self.charset.characters, "difficulty": self.difficulty}
        settings |= {"keep_ratio": self.keep_ratio}
        return {held_out: Made(**settings, heldout=held_out) for held_out in (False, True)}

    def train_dataloader(self) -> Loader:
        """Every slot of a batch takes its word from a source drawn by its share: a set on disk, or the made words."""
        rank, world = self._place()
        slots = self.slots_of_epoch
        order = MixedOrder(self._sources(), slots, self.batch_size, self.seed, drop_last=slots >= self.batch_size, rank=rank, world=world)
        return self._loader(self.train_set, order)

    def _sources(self) -> list[Source]:
        words: WordDataset | None = self.train_set.words  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        sources, real = [], 0 if words is None else len(words)
        if words is not None:
            share, weights = 1 - self.generated_share, None
            if self.balance_lengths:
                weights = length_weights([len(text) for text in words.texts])
            if self.weights is not None:
                weights = self._by_set(words)
            sources.append(Source(0, real, share, weights))
        if self.generated_share:
            sources.append(Source(real, self.slots_of_epoch, self.generated_share, endless=True))
        return sources

    def _by_set(self, words: WordDataset) -> np.ndarray:
        """A set's weight, shared by its words."""
        assert self.weights is not None
        sets = [record.set for record in words.records]
        counts = {name: sets.count(name) for name in set(sets)}
        if unlike := sorted(set(self.weights) ^ set(counts)):
            raise DataError(f"weights: {unlike[0]!r}; give a weight to each of the training sets {', '.join(sorted(counts))}")
        weights = np.array([self.weights[name] / counts[name] for name in sets])
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise DataError("weights: give finite numbers of at least 0, not all 0")
        return weights

    def truth(self, number: int) -> str:
        return self._held(number).label if number >= 0 else self._redrawn(number).label

    def set_of(self, number: int) -> str:
        return self._held(number).set if number >= 0 else "made"

    def picture(self, number: int) -> np.ndarray:
        return load_word(self.table.store, self._held(number)) if number >= 0 else self._redrawn(number).image

    def _held(self, number: int) -> Word:
        return self.table.records[number]

    def _redrawn(self, number: int) -> Any:
        """Where nothing lies on disk, evaluation is on made words that training never shows; their ids are below 0, too."""
        return self._made(0, held_out=not self.paths, count=HELD_OUT).drawn(-1 - number)

    def training_labels(self) -> list[str]:
        return [self.table.records[row].label for row in self.rows("train")]

    def training_texts(self) -> list[str]:
        return [self.texts[row] for row in self.rows("train")]

    def examples(self, n: int) -> list[Tensor]:
        """Raw test pictures, uint8 (H,W,3), spread over the split."""
        if not self.paths:
            made = self._made(1, held_out=True, count=HELD_OUT)
            return [torch.from_numpy(made.drawn(made.first + number).image.copy()) for number in range(n)]
        rows = self.rows("test") or self.rows("val")
        return [torch.from_numpy(self.picture(row).copy()) for row in rows[:: max(1, len(rows) // max(1, n))][:n]]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        made = {"share": self.generated_share, "profile": self.profile, "difficulty": self.difficulty, "seed": self.seed}
        made |= {"curriculum": self.curriculum}
        card: dict[str, Any] = {"made": made if self.generated_share else None, "charset": self.charset.characters}
        if not self.paths:
            return {"name": "made words", "source": "made by datamodules.otsnet.generator", **card}
        table = self.table
        return {
            "name": ", ".join(_short_names(self.paths)),
            "source": ", ".join(self.paths),
            "layout": table.layout,
            "counts": {split: sum(record.split == split for record in table.records) for split in SPLITS},
            "sets": table.sets(),
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
            **card,
        }


def _short_names(paths: Sequence[str]) -> list[str]:
    """The last part of every path; with its number where two are alike."""
    names = [Path(path).resolve().name for path in paths]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]
