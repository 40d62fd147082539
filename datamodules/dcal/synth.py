"""The embedded set "beetles": the class is one small mark in a known cell of the shell, among marks that mean nothing.

So it can be checked that a model looks at the right cell, not only that it answers right.
"""

import colorsys
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = [
    "CELL",
    "CLASSES",
    "DECOYS",
    "GLYPHS",
    "GRID",
    "SIDE",
    "VERSION",
    "BeetleSet",
    "background",
    "beetles",
    "hash_arrays",
    "put_mark",
    "shell",
    "write_examples",
]

VERSION = 1  # of the pictures: another number makes other ones
SIDE, CELL = 48, 6
GRID = SIDE // CELL
CLASSES = ("ash", "birch", "cedar", "dune", "ember", "fern", "gorse", "heath")


def _glyphs(text: str) -> tuple[np.ndarray, ...]:
    return tuple(np.array([dot == "#" for dot in glyph.replace("/", "")]).reshape(3, 3) for glyph in text.split())


# 3 x 3 dots, row by row. All have four, so that neither a mark's nor a picture's brightness tells the class; any two differ in two or more.
GLYPHS = _glyphs("##./##./... .../.##/.## #.#/.../#.# .#./#.#/.#. ###/.#./... .../.#./### #../##./#.. ..#/.##/..#")
DECOYS = _glyphs("##./.#./..# .#./.#./##. ..#/.#./##. ##./.../.##")


class BeetleSet(NamedTuple):
    images: np.ndarray  # uint8 (n, 48, 48, 3)
    labels: np.ndarray  # int64 (n,), all classes equally often
    cells: np.ndarray  # int64 (n,): cell of the class mark, row * 8 + column


def beetles(n: int, seed: int, decoys: int = 2, noise: float = 0.06, cue: float = 0.0) -> BeetleSet:
    """n pictures. Nothing but the class mark depends on the class, except the background's hue with probability `cue`."""
    if n < 0 or not 0 <= decoys <= 5 or noise < 0 or not 0 <= cue <= 1:
        raise ValueError(f"beetles need n >= 0, 0 <= decoys <= 5, noise >= 0, 0 <= cue <= 1; got {n}, {decoys}, {noise}, {cue}")
    rng = np.random.default_rng([VERSION, seed])
    labels = rng.permutation(np.arange(n) % len(CLASSES))
    images, cells = np.empty((n, SIDE, SIDE, 3), np.uint8), np.empty(n, np.int64)
    for row, label in enumerate(labels):
        images[row], cells[row] = _beetle(rng, int(label), decoys, noise, cue)
    return BeetleSet(images, labels.astype(np.int64), cells)


def write_examples(folder: Path, n: int) -> list[Path]:
    """n easy beetles as PNG files: inputs for an exported classifier."""
    import cv2

    paths = []
    for i, image in enumerate(beetles(n, seed=VERSION + 2**31).images):
        paths.append(folder / f"beetle-{i}.png")
        cv2.imwrite(str(paths[-1]), image[:, :, ::-1])
    return paths


def hash_arrays(arrays: Iterable[np.ndarray]) -> str:
    """A fingerprint of made pictures."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _beetle(rng: np.random.Generator, label: int, decoys: int, noise: float, cue: float) -> tuple[np.ndarray, int]:
    hue, told = rng.random(2)
    picture = background(rng, label / len(CLASSES) if told < cue else hue)  # the shortcut that a model should not take
    inside, free = shell(rng, decoys + 1)
    body = rng.uniform(0.35, 0.65, 3)
    picture[inside] = body
    cells = rng.choice(free, decoys + 1, replace=False)
    glyphs = [GLYPHS[label], *(DECOYS[kind] for kind in rng.integers(len(DECOYS), size=decoys))]
    for cell, glyph in zip(cells, glyphs, strict=True):
        put_mark(picture, int(cell), glyph, body)
    picture += rng.normal(0, noise, picture.shape)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), int(cells[0])


def put_mark(picture: np.ndarray, cell: int, glyph: np.ndarray, body: np.ndarray) -> None:
    """The glyph, twice as large, in brightness around the body's colour."""
    top, left = cell // GRID * CELL, cell % GRID * CELL
    marks = np.where(glyph, 0.45, -0.45).repeat(2, axis=0).repeat(2, axis=1)
    picture[top : top + CELL, left : left + CELL] = body + marks[:, :, None]


def background(rng: np.random.Generator, hue: float) -> np.ndarray:
    """A colour with a slow wave."""
    colour = colorsys.hsv_to_rgb(hue, 0.6, 0.6)
    ys, xs = np.mgrid[:SIDE, :SIDE] / SIDE
    fy, fx = rng.uniform(-1.5, 1.5, 2)
    wave = 0.12 * np.sin(2 * np.pi * (fy * ys + fx * xs + rng.random()))
    return np.asarray(colour) + wave[:, :, None]


def shell(rng: np.random.Generator, marks: int) -> tuple[np.ndarray, np.ndarray]:
    """An ellipse, and its cells that lie at least 80 % inside; drawn again in the rare case that they are too few for the marks."""
    ys, xs = np.mgrid[:SIDE, :SIDE] + 0.5
    while True:
        long, short = rng.uniform(15, 20), rng.uniform(10, 15)
        turn = rng.uniform(0, np.pi)
        y, x = ys - SIDE / 2 - rng.uniform(-6, 6), xs - SIDE / 2 - rng.uniform(-6, 6)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        inside = (along / long) ** 2 + (across / short) ** 2 <= 1
        free = np.flatnonzero(inside.reshape(GRID, CELL, GRID, CELL).mean((1, 3)) >= 0.8)
        if len(free) >= marks:
            return inside, free
