"""The embedded re-identification set: an identity is a pair of marks and a shell colour, seen by two cameras that disagree about colour.

As in real pictures of two cameras, raw colour misleads: what one camera shows of a colour is what the other shows of the next one.
"""

import itertools
from typing import NamedTuple

import numpy as np

from datamodules.dcal.synth import DECOYS, GLYPHS, SIDE, background, put_mark, shell

__all__ = ["CAMERAS", "IDENTITIES", "PALETTE", "VERSION", "IdentitySet", "camera_view", "identities"]

VERSION = 1  # of the pictures: another number makes other ones
STEP = np.array([0.08, -0.08, 0.04])
PALETTE = np.array([0.5 + (place - 1.5) * STEP for place in range(4)])  # shell colours
PAIRS = tuple(itertools.combinations(range(len(GLYPHS)), 2))
IDENTITIES = tuple((pair, colour) for pair in PAIRS for colour in range(len(PALETTE)))  # 112
CAMERAS = 2


class IdentitySet(NamedTuple):
    images: np.ndarray  # uint8 (n, 48, 48, 3)
    identities: np.ndarray  # int64 (n,), into IDENTITIES
    cameras: np.ndarray  # int64 (n,), 0 or 1
    cells: np.ndarray  # int64 (n, 2): cells of the two marks, in the order of the pair


def identities(which: np.ndarray, each: int, seed: int, decoys: int = 1, noise: float = 0.06) -> IdentitySet:
    """`each` pictures of every one of these identities by each camera, identity by identity."""
    which = np.asarray(which, dtype=np.int64)
    if each < 1 or not 0 <= decoys <= 4 or noise < 0 or (len(which) and not 0 <= which.min() <= which.max() < len(IDENTITIES)):
        raise ValueError(
            f"identities need each >= 1, 0 <= decoys <= 4, noise >= 0 and numbers below {len(IDENTITIES)}; got {each}, {decoys}, {noise}"
        )
    rng = np.random.default_rng([VERSION, 1, seed])
    of = which.repeat(CAMERAS * each)
    cameras = np.tile(np.arange(CAMERAS).repeat(each), len(which))
    images, cells = np.empty((len(of), SIDE, SIDE, 3), np.uint8), np.empty((len(of), 2), np.int64)
    for row, (identity, camera) in enumerate(zip(of, cameras, strict=True)):
        images[row], cells[row] = _picture(rng, int(identity), int(camera), decoys, noise)
    return IdentitySet(images, of, cameras, cells)


def camera_view(picture: np.ndarray, camera: int) -> np.ndarray:
    """A camera's gain and bias on a 0..1 picture. The second one's bias is a palette's step."""
    if camera == 0:
        return picture
    gain = np.array([0.95, 1.05, 0.9])
    return (picture - 0.5) * gain + 0.5 + STEP


def _picture(rng: np.random.Generator, identity: int, camera: int, decoys: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    (one, other), colour = IDENTITIES[identity]
    picture = background(rng, rng.random())
    inside, free = shell(rng, decoys + 2)
    body = PALETTE[colour]
    picture[inside] = body
    cells = rng.choice(free, decoys + 2, replace=False)
    glyphs = [GLYPHS[one], GLYPHS[other], *(DECOYS[kind] for kind in rng.integers(len(DECOYS), size=decoys))]
    for cell, glyph in zip(cells, glyphs, strict=True):
        put_mark(picture, int(cell), glyph, body)
    picture = camera_view(picture, camera)
    if camera == 1:
        picture = _blurred(picture)
    picture = picture + rng.normal(0, noise, picture.shape)  # of the sensor, behind the lens
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), cells[:2]


def _blurred(picture: np.ndarray) -> np.ndarray:
    """A lens a little out of focus: 1 6 1 over both directions."""
    for axis in (0, 1):
        before, after = (np.take(picture, np.r_[ends], axis) for ends in ([0, *range(SIDE - 1)], [*range(1, SIDE), SIDE - 1]))
        picture = (before + 6 * picture + after) / 8
    return picture
