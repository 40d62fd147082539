"""SynthText: whole scenes and gt.mat, with quadrilaterals of words and of letters. Every word is cut out and made straight."""

from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.matlab import load_matlab
from datamodules.otsnet.crops import into_crop, quad_problem
from datamodules.otsnet.table import Boxes, Collector, Quad, Table
from datamodules.store import FolderStore

__all__ = ["is_synthtext", "read_synthtext"]

FIELDS = ("imnames", "wordBB", "charBB", "txt")


def is_synthtext(path: Path) -> bool:
    return _root(path) is not None


def read_synthtext(path: Path) -> Table:
    """`txt` holds pieces of several lines; cut at blanks and line ends they are the words, in the order of the boxes."""
    root = _root(path)
    assert root is not None
    file = root / "gt.mat"
    loaded = load_matlab(file)
    if missing := [name for name in FIELDS if name not in loaded]:
        raise DataError(f"{file}: no {missing[0]}; fetch it again")
    collected = Collector("synthtext", path, FolderStore(root))
    columns = [_cells(loaded[name]) for name in FIELDS]
    if len({len(column) for column in columns}) > 1:
        raise DataError(f"{file}: {', '.join(FIELDS)} are not equally long; fetch it again")
    for number, (name, quads, letters, texts) in enumerate(zip(*columns, strict=True), 1):
        _scene(collected, f"{file}:{number}", str(name), quads, letters, " ".join(str(text) for text in np.atleast_1d(texts)).split())
    return collected.table


def _scene(collected: Collector, where: str, name: str, quads: Any, letters: Any, words: list[str]) -> None:
    quads_W42, letters_M42 = _corners(quads), _corners(letters)
    if len(quads_W42) != len(words):
        collected.problem(f"{where}: {len(words)} words and {len(quads_W42)} boxes; remove the scene")
        return
    fits, first = len(letters_M42) == sum(len(word) for word in words), 0
    for word, corners in zip(words, quads_W42, strict=True):
        quad: Quad = tuple(corners.ravel().tolist())
        own = letters_M42[first : first + len(word)]
        first += len(word)
        if wrong := quad_problem(quad):
            collected.problem(f"{where}: {word!r}: {wrong}; leave it out")
        else:
            collected.add(name, word, "train", "synthtext", where, quad, _boxes(own, quad) if fits else None)


def _boxes(letters_L42: np.ndarray, quad: Quad) -> Boxes:
    straight = into_crop(letters_L42, quad)
    low, high = straight.min(1), straight.max(1)
    return tuple((x0, y0, x1, y1) for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True))


def _corners(array: Any) -> np.ndarray:
    """(n,4,2) of MATLAB's (2,4,n), whose last size is lost where it is 1."""
    array = np.asarray(array, np.float64)
    return array.reshape(2, 4, -1).transpose(2, 1, 0) if array.shape[:2] == (2, 4) else np.zeros((0, 4, 2))


def _cells(array: Any) -> list[Any]:
    """The cells of one row; of a set of one scene scipy unpacks them."""
    array = np.asarray(array)
    return list(array) if array.dtype == object else [array.item() if array.ndim == 0 else array]


def _root(path: Path) -> Path | None:
    return next((place for place in (path, path / "SynthText") if (place / "gt.mat").is_file()), None)
