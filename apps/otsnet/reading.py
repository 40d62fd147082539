"""From a reader's answers to what is told of a word: text, how sure of it, where each letter stands, and what looks odd.

Shapes: L slots, N tokens, S slots or columns, K classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from apps.base.predict.reader import Item
from apps.base.predict.run import Result, run
from apps.otsnet import places
from apps.otsnet.constrain import Found, best_of_columns, best_of_slots
from apps.otsnet.crops import Crop
from apps.otsnet.lexicon import Lexicon, Nearest
from apps.otsnet.one_case import counted
from apps.otsnet.options import Observe
from apps.otsnet.pattern import Automaton
from apps.otsnet.photos.cutting import from_crop
from apps.otsnet.source import Source

__all__ = ["Asks", "Reading", "read_crops"]

TALL = 1.5  # times as high as wide: the word may stand upright
MISFIT = 0.01  # what the pattern lets through is less probable: the picture says something else
OVERLAP = 0.8  # of the places of two equal neighbours: one letter may have been read twice
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Asks:
    """What is wanted of the reader besides reading."""

    rotate: Literal["none", "auto"] = "none"
    case: Literal["keep", "lower", "upper"] = "keep"
    min_confidence: float = 0.0
    pattern: Automaton | None = None
    lexicon: Lexicon | None = None
    photos: bool = False  # words were found in photographs


@dataclass
class Reading:
    """One word, or why there is none. Boxes are x0, y0, x1, y1 in pixels of the picture as it was given, and approximate."""

    path: str
    text: str = ""
    confidence: float = 0.0
    mean_confidence: float = 0.0  # a character's, geometric: it does not shrink with the length
    char_probs: list[float] = field(default_factory=list)
    char_boxes: list[Box] = field(default_factory=list)
    verified: list[float] = field(default_factory=list)  # that each character is right, of readers that judge
    changed_by_refinement: bool = False
    codes: list[Any] = field(default_factory=list)
    turned: int = 0  # degrees clockwise that the picture was turned by to be read
    fits: float | None = None  # how probable words are that the pattern lets through
    unconstrained: str | None = None  # what was read without the pattern
    nearest: Nearest | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    picture: np.ndarray | None = None  # of the word, as it was given or cut
    box: list[list[float]] | None = None  # of a word of a photograph, its four corners there
    found: float | None = None  # and how sure the detector is of it


class Turn(NamedTuple):
    """One way to look at a picture."""

    crop: Crop
    number: int  # of the crop
    quarters: int  # counterclockwise


def read_crops(source: Source, crops: Iterable[Crop], asks: Asks, batch: int) -> Iterator[Reading]:
    """A reading for each crop, in their order."""
    results = run(source.program, _items(crops, asks.rotate), batch)
    for _, ways in groupby(results, key=lambda result: result.name.number):
        yield _best(source, list(ways), asks)


def _items(crops: Iterable[Crop], rotate: str) -> Iterator[Item]:
    for number, crop in enumerate(crops):
        picture = crop.picture
        if picture is None:
            yield Turn(crop, number, 0), None, crop.error or "not a picture"
            continue
        for quarters in range(4) if rotate == "auto" and _tall(picture) else (0,):
            yield Turn(crop, number, quarters), np.ascontiguousarray(np.rot90(picture, quarters)), None


def _tall(picture: np.ndarray) -> bool:
    return picture.shape[0] > TALL * picture.shape[1]


def _best(source: Source, ways: list[Result], asks: Asks) -> Reading:
    """Of several turns the one that is surest by character: a product over the word would favour short ones."""
    readings = [_reading(source, way, asks) for way in ways]
    read = max(readings, key=lambda reading: (reading.error is None, reading.mean_confidence))
    crop = ways[0].name.crop
    if read.error is None and crop.picture is not None and asks.rotate == "none" and _tall(crop.picture):
        read.warnings.append("tall")
    if crop.box_42 is None or crop.corners_42 is None:
        return replace(read, picture=crop.picture)
    inside = [_in_photo(box, crop.picture, crop.corners_42) for box in read.char_boxes] if crop.picture is not None else []
    corners = np.round(crop.box_42.astype(float), 1).tolist()
    return replace(read, picture=crop.picture, char_boxes=inside, box=corners, found=crop.found)


def _reading(source: Source, way: Result, asks: Asks) -> Reading:
    crop, _, quarters = way.name
    if way.outputs is None:
        return Reading(crop.name, error=way.error)
    out = {name: value[0].cpu() for name, value in way.outputs.items()}
    if not all(bool(value.isfinite().all()) for value in out.values() if value.is_floating_point()):
        return Reading(crop.name, error="the reader's answer is not a number")
    raw = source.charset.decode(out["characters"])
    made = Reading(
        crop.name,
        raw,
        float(out["confidence"]),
        _geometric(out["confidences"][: len(raw) + 1].double().numpy()),
        out["confidences"][: len(raw)].tolist(),
        [_box(box) for box in out["boxes"][: len(raw)].tolist()],
        out["verified"][: len(raw)].tolist() if "verified" in out else [],
        bool(out["changed"]),
        out["codes"][: len(raw)].squeeze(-1).tolist() if "codes" in out else [],
        (360 - 90 * quarters) % 360,
        warnings=_odd(source, out, out["characters"], raw),
    )
    table_SK = out["table"].double().numpy()
    if asks.pattern is not None:
        made = _constrained(source, made, out, table_SK, asks.pattern)
    if asks.lexicon is not None:
        made.nearest = asks.lexicon.nearest(table_SK, raw, source.by_columns)
    if made.confidence < asks.min_confidence:
        made.warnings.append("unsure")
    assert crop.picture is not None
    return replace(made, text=_cased(made.text, asks.case), char_boxes=[_turned(box, quarters, crop.picture) for box in made.char_boxes])


def _odd(source: Source, out: dict[str, Any], tokens_L: torch.Tensor, text: str) -> list[str]:
    """empty: nothing was read; overlap: one letter may have been read twice; long: the word may go on behind the last slot."""
    found = ["empty"] if not text else []
    if not source.by_columns and float(places.overlap(out["attention"][None], tokens_L[None])) > OVERLAP:
        found.append("overlap")
    return [*found, "long"] if len(text) == source.about["max_length"] else found


def _constrained(source: Source, made: Reading, out: dict[str, Any], table_SK: np.ndarray, pattern: Automaton) -> Reading:
    """The most probable word that the pattern lets through; how sure of it, given that one of them stands there."""
    free_L = out["characters"][: len(made.text)].numpy()
    if pattern.counts_as_K is not None:
        table_SK, free_L = counted(table_SK, pattern.counts_as_K), pattern.counts_as_K[free_L]
    found = (best_of_columns if source.by_columns else best_of_slots)(table_SK, pattern)
    if found is None:
        return replace(made, error="no word that matches the pattern fits into the picture's columns")
    text = source.charset.decode(found.word)
    told = replace(
        made, fits=min(1.0, found.mass), unconstrained=made.text, confidence=min(1.0, found.probability / max(found.mass, 1e-300))
    )
    if text == made.text:
        return told
    probs = _of_characters(table_SK, found)
    told = replace(told, text=text, char_probs=probs, mean_confidence=_geometric(np.array(probs or [found.probability])))
    if found.word == free_L.tolist():
        return told  # the word that was read freely, in the other case
    return replace(
        told,
        char_boxes=_where(source, out, found),
        warnings=[*_odd(source, out, _slots_of(out, found), text), *(["misfit"] if found.mass < MISFIT else [])],
        # these are of the word that was read freely
        verified=[],
        codes=[],
        changed_by_refinement=False,
    )


def _slots_of(out: dict[str, Any], found: Found) -> torch.Tensor:
    return torch.tensor([*found.word, *[0] * (len(out["characters"]) - len(found.word))])


def _of_characters(table_SK: np.ndarray, found: Found) -> list[float]:
    return [float(table_SK[columns, token].prod()) for token, columns in zip(found.word, found.places, strict=True)]


def _where(source: Source, out: dict[str, Any], found: Found) -> list[Box]:
    if source.by_columns:
        wide = len(out["table"]) * float(out.get("wide", 1.0))
        return [(columns[0] / wide, 0.0, min(1.0, (columns[-1] + 1) / wide), 1.0) for columns in found.places]
    cells, wide_B = Observe(**source.about["model"]["observe"]).cells, out["wide"][None] if "wide" in out else None
    boxes_BL4 = places.boxes(out["attention"][None], _slots_of(out, found)[None], cells, wide_B)
    return [_box(box) for box in boxes_BL4[0, : len(found.word)].tolist()]


def _box(values: list[float]) -> Box:
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)


def _turned(box: Box, quarters: int, picture: np.ndarray) -> Box:
    """From shares of the turned picture to pixels of the one that was given."""
    (x0, y0, x1, y1), (height, width) = box, picture.shape[:2]
    for _ in range(quarters):  # what is turned back once lies a quarter clockwise
        x0, y0, x1, y1 = 1 - y1, x0, 1 - y0, x1
    return (round(x0 * width, 2), round(y0 * height, 2), round(x1 * width, 2), round(y1 * height, 2))


def _in_photo(box: Box, picture: np.ndarray, corners_42: np.ndarray) -> Box:
    """From pixels of the word's picture to the upright box around the same place in the photograph."""
    x0, y0, x1, y1 = box
    points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) / (picture.shape[1], picture.shape[0])
    there = np.round(from_crop(points, corners_42), 2)
    (a, b), (c, d) = there.min(0).tolist(), there.max(0).tolist()
    return (a, b, c, d)


def _geometric(p: np.ndarray) -> float:
    return float(np.exp(np.log(np.maximum(p, 1e-30)).mean()))


def _cased(text: str, case: str) -> str:
    return {"keep": text, "lower": text.lower(), "upper": text.upper()}[case]
