"""Whole photographs for a verb: which words of each, by a file of boxes, a detector given as ONNX, or the built-in one."""

import argparse
from argparse import _ActionsContainer as Parser
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.base.errors import UserError
from apps.otsnet.photos.box_file import BoxFile, read_boxes
from apps.otsnet.photos.cutting import cut
from apps.otsnet.photos.found import Finder, Found
from apps.otsnet.photos.onnx_detector import OnnxDetector
from apps.otsnet.photos.simple import find
from datamodules.pictures import read_picture

__all__ = ["MARGIN", "How", "NamedCrop", "add_photo_options", "crops_from_photo", "how_of", "open_how"]

MARGIN = 0.08  # of a word's height, around every box: readers are trained on crops that are not cut to the ink


@dataclass(frozen=True)
class How:
    """How words are found in photographs. Exactly one of them: a file of boxes, a detector, or the built-in detector.

    boxes: a file of boxes (apps.otsnet.photos.box_file says which). detector: an ONNX file (apps.otsnet.photos.onnx_detector).
    find: the built-in one. trust: run a detector from elsewhere. least: found words below this score are left out; None: as the
    detector thinks best.
    """

    boxes: str | None = None
    detector: str | None = None
    find: bool = False
    trust: bool = False
    least: float | None = None

    def __post_init__(self) -> None:
        if (self.boxes is not None) + (self.detector is not None) + self.find != 1:
            raise UserError("words of photographs come from one of --boxes FILE, --detector FILE.onnx and --find; give one of them")
        if self.trust and self.detector is None:
            raise UserError("trust goes with a detector (--detector FILE.onnx); leave it out")
        if self.least is not None and (self.boxes is not None or not 0 <= self.least <= 1):
            raise UserError(f"--min-found {self.least}: between 0 and 1, and not with --boxes, whose words are all read")


class NamedCrop(NamedTuple):
    name: str  # photograph#number from 1, in reading order
    picture: np.ndarray | None  # uint8 (h,w,3); None where it could not be cut
    box_42: np.ndarray  # float32, corners in the photograph's pixels, clockwise from the text's top left
    score: float  # of the detector; 1 of a box that was given
    corners_42: np.ndarray  # float32, where the corners of the crop lie in the photograph, for `cutting.from_crop`
    text: str | None = None  # what the file of boxes says that it reads
    problem: str | None = None  # why there is no picture


def crops_from_photo(path: str, how: How, picture: np.ndarray | None = None) -> list[NamedCrop]:
    """The words of a photograph in reading order (of a file of boxes: in its order). picture: the photograph, if it is read already.

    >>> for crop in crops_from_photo("street.jpg", How(find=True)):
    ...     print(crop.name, crop.box_42.tolist())
    """
    picture = read_picture(path) if picture is None else picture
    texts: Sequence[str | None]
    if how.boxes is not None:
        boxes = _box_file(how.boxes, _stamp(how.boxes)).of(path)
        found = Found(
            np.stack([box.quad_42 for box in boxes]) if boxes else np.zeros((0, 4, 2), np.float32), np.array([b.score for b in boxes])
        )
        texts = [box.text for box in boxes]
    else:
        found = _finder(how)(picture)
        if how.least is not None and how.detector is not None:
            found = found.take(np.flatnonzero(found.scores_N >= how.least))
        texts = [None] * len(found.scores_N)
    crops = []
    for number, (box_42, score, text, piece) in enumerate(
        zip(found.boxes_N42, found.scores_N, texts, cut(picture, found.boxes_N42, MARGIN), strict=True), 1
    ):
        crops.append(NamedCrop(f"{path}#{number}", piece.picture, box_42, float(score), piece.corners_42, text, piece.problem))
    return crops


def add_photo_options(parser: Parser) -> None:
    """--boxes, --detector, --find and --min-found; `how_of` reads them. --trust is the verb's own."""
    parser.add_argument(
        "--boxes",
        metavar="FILE",
        help="inputs are photographs; their words are in this CSV, ICDAR list or JSON; cut with a little ground around",
    )
    parser.add_argument("--detector", metavar="FILE.onnx", help="inputs are photographs; this detector finds the words (map or boxes)")
    parser.add_argument("--find", action="store_true", help="inputs are clean documents or signs; the built-in detector finds the words")
    parser.add_argument("--min-found", type=float, metavar="SCORE", help="leave out words that the detector is less sure of")


def how_of(args: argparse.Namespace, trust: bool = False) -> How | None:
    """None where inputs are words already. trust: of the verb's --trust, which its reader may have needed as well."""
    if args.boxes is None and args.detector is None and not args.find:
        if args.min_found is not None:
            raise UserError("--min-found goes with --detector or --find")
        return None
    return How(args.boxes, args.detector, args.find, trust and args.detector is not None, args.min_found)


def open_how(how: How) -> None:
    """Reads the file of boxes or opens the detector before any photograph: what is wrong with it is no fault of a photograph."""
    if how.boxes is not None:
        _box_file(how.boxes, _stamp(how.boxes))
    else:
        _finder(how)


def _finder(how: How) -> Finder:
    if how.detector is not None:
        return _detector(how.detector, how.trust, _stamp(how.detector))
    return find if how.least is None else lambda picture: find(picture, how.least or 0.0)


@lru_cache(maxsize=2)
def _detector(path: str, trust: bool, stamp: int) -> OnnxDetector:
    return OnnxDetector(path, trust)


@lru_cache(maxsize=2)
def _box_file(path: str, stamp: int) -> BoxFile:
    return read_boxes(path)


def _stamp(path: str) -> int:
    """When a file was written last: what is kept of it is of this moment."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
