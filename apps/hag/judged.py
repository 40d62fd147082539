"""A set of frames through an exported program: what was answered, what would have been right, and the floors beside it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from apps.base.errors import UserError
from apps.hag.calibration_file import Spread
from apps.hag.floors import Floors, fit_floors
from apps.hag.learned import made_as, on_disk_as
from apps.hag.metrics import Answers, polyps_of
from apps.hag.sizer import Asked, Sizer
from datamodules.errors import DataError

__all__ = ["EMBEDDED", "SPLITS", "Judged", "Known", "floors_of", "judge", "open_known", "polyps_with_shares"]

EMBEDDED = "embedded"  # the word for the colonoscopies made by code
Split = Literal["train", "val", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Known:
    """Frames of known size: a set, and which splits of it."""

    name: str
    data: Any  # PolypData
    splits: tuple[str, ...]
    notes: list[str]

    def facts(self) -> Any:
        parts = [self.data.facts(split) for split in self.splits]
        return type(parts[0])(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def boxes(self) -> np.ndarray:
        return np.concatenate([self.data.boxes(split) for split in self.splits])

    def frames(self) -> Iterator[tuple[Any, int]]:
        for split in self.splits:
            frames = self.data.frames(split)
            yield from ((frames, at) for at in range(len(frames)))


@dataclass(frozen=True)
class Judged:
    answers: Answers
    boxes: np.ndarray  # float (N,4), in shares of the letterboxed frame
    statuses: dict[str, int]  # how many frames of each
    failures: list[str]  # frames that could not be read
    picture: Callable[[int], tuple[np.ndarray, np.ndarray | None]]  # of a row: the frame, and its box in pixels


def open_known(word: str, sizer: Sizer, split: str, refuse: bool, **options: Any) -> Known:
    """`embedded`, or a set on disk in any layout that `discern data check` knows. options: of the set on disk (fold, protocol, ...).

    refuse: polyps that the model learned from, even where all are asked for.
    """
    given = list(sizer.given)
    if word == EMBEDDED and not Path(word).exists():
        if named := [name for name, value in options.items() if value is not None]:
            raise UserError(f"--{named[0].replace('_', '-')} is of a set on disk; {EMBEDDED} has none: leave it out")
        made, notes = made_as(sizer.program.metadata, sizer.side, given)
        data: Any = made
        name = "colonoscopies made by code"
        if refuse and split == "all" and sizer.program.metadata.get("learned", {}).get("made"):
            raise UserError(f"--split all: the model learned from polyps of {EMBEDDED}; take val or test")
    else:
        data, learned = on_disk_as(word, sizer.program.metadata, split, sizer.side, given, refuse, **options)
        name, notes = Path(word).resolve().name, [*data.table.notes, *learned]
    splits = ("train", "val", "test") if split == "all" else (split,)
    if not any(len(data.facts(each).mm) for each in splits):
        raise UserError(f"{word}: no frames in the split {split}; name another with --split")
    return Known(name, data, splits, notes)


def judge(sizer: Sizer, known: Known, each: Callable[[Asked], None]) -> Judged:
    """Every frame once. each: told of each as it is answered."""
    facts, places = known.facts(), list(known.frames())
    found = list(_counted(sizer.answer(_asked(sizer, facts, places)), each))
    statuses = Counter("unreadable" if one.error is not None else one.status for one in found)
    answers = Answers(
        facts.polyp,
        np.where(facts.has_mm, facts.mm.astype(np.float64), np.nan),
        _column(found, "mm") if _any(found, "mm") else None,
        facts.censored,
        *((_column(found, "p_gt5"), _column(found, "p_ge10")) if _any(found, "p_ge10") else (None, None)),
        np.array([one.quality for one in found]),
    )

    def picture(row: int) -> tuple[np.ndarray, np.ndarray | None]:
        frames, at = places[row]
        return frames.image(at), frames.box(at)

    failures = [f"{one.name}: {one.error}" for one in found if one.error is not None]
    return Judged(answers, known.boxes(), dict(statuses), failures, picture)


def floors_of(known: Known, seed: int = 0) -> Floors | None:
    """From the training frames of the same set; None where those are judged themselves, or know no size."""
    if "train" in known.splits:
        return None
    facts = known.data.facts("train")
    if not facts.has_mm.any():
        return None
    return fit_floors(facts.polyp, np.where(facts.has_mm, facts.mm, np.nan), known.data.boxes("train"), seed)


def polyps_with_shares(judged: Judged, spread: Spread | None, of_heads: bool) -> Answers:
    """Polyps. Where the model has no heads for probabilities, they come from the spread of known errors; None: there are none."""
    if of_heads:
        return polyps_of(judged.answers)
    polyps = polyps_of(replace(judged.answers, p_gt5=None, p_ge10=None))
    if spread is None or polyps.mm is None:
        return polyps
    p_gt5, p_ge10 = spread.shares(polyps.mm)
    return replace(polyps, p_gt5=p_gt5, p_ge10=p_ge10)


def _asked(sizer: Sizer, facts: Any, places: list[tuple[Any, int]]) -> Iterator[Asked]:
    names = tuple(sizer.given)
    for row, (frames, at) in enumerate(places):
        name, polyp = f"frame {facts.row[row]}", str(facts.polyp[row])
        try:
            image = frames.image(at)
            given = frames.planes(at, names, image.shape[:2]) if names else None
        except DataError as error:
            yield Asked(name, None, polyp=polyp, error=str(error))
            continue
        yield Asked(name, image, frames.box(at), polyp, given=given)


def _counted(found: Iterator[Asked], each: Callable[[Asked], None]) -> Iterator[Asked]:
    for one in found:
        each(one)
        yield one


def _any(found: list[Asked], name: str) -> bool:
    return any(getattr(one, name) is not None for one in found)


def _column(found: list[Asked], name: str) -> np.ndarray:
    return np.array([np.nan if getattr(one, name) is None else getattr(one, name) for one in found])
