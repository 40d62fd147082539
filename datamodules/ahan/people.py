"""The people of the embedded set: genes that twins share, and what is each one's own - marks, asymmetry, fine lines."""

from typing import NamedTuple

import numpy as np

__all__ = ["ASYMMETRIES", "GENES", "People", "born"]

GENES = (
    "face width", "jaw power", "eye distance", "eye size", "brow thickness", "brow tilt",
    "nose width", "nose length", "mouth width", "lip thickness", "skin tone", "hair tone",
)  # fmt: skip
ASYMMETRIES = ("eye height", "eye opening", "brow height", "mouth corner height", "nose deviation", "cheek fullness")
FEWEST = 3  # marks of a person, unless fewer are allowed
LEAST_SIZE, LEAST_CONTRAST = 0.014, 0.3
TRIES = 48  # places drawn for every mark, of which the first one on free skin is taken


class People(NamedTuple):
    """Persons 2f and 2f + 1 are the twins of family f. Places are fractions of the frame, x to the right, y down."""

    genes: np.ndarray  # float32 (P,12), each in -1..1
    marks: np.ndarray  # float32 (P,M,4): x, y, radius, darkness; radius 0 where a person has fewer
    asym: np.ndarray  # float32 (P,6): ASYMMETRIES, in units of their amplitudes; the image-left side has +a/2
    lines: np.ndarray  # float32 (P,L,5): x0, y0, x1, y1, darkness
    mirrored: np.ndarray  # bool (F,): the second twin has the first one's marks and asymmetry the other way round


def born(
    rng: np.random.Generator,
    families: int,
    *,
    marks: int,
    mark_size: float,
    mark_contrast: float,
    asym: float,
    lines: int,
    mirror: float,
    kinship: float,
) -> People:
    """Every quantity is drawn for everybody, whatever the knobs: one that is turned leaves the others' people as they were."""
    people = 2 * families
    own, kin = rng.standard_normal((2, families, len(GENES)))
    genes = np.stack([own, kinship * own + np.sqrt(1 - kinship**2) * kin], 1).reshape(people, -1)
    moles = _marks(rng, people, marks, mark_size, mark_contrast)
    sides = rng.standard_normal((people, len(ASYMMETRIES))) * asym
    strokes = _lines(rng, people, lines)
    mirrored = rng.random(families) < mirror
    first, second = np.flatnonzero(mirrored) * 2, np.flatnonzero(mirrored) * 2 + 1
    moles[second] = moles[first]
    moles[second, :, 0] = 1 - moles[first, :, 0]
    sides[second] = -sides[first]
    strokes[second] = strokes[first]
    strokes[second, :, 0:3:2] = 1 - strokes[first, :, 0:3:2]
    genes, moles, sides, strokes = (a.astype(np.float32) for a in (np.tanh(genes), moles, sides, strokes))
    return People(genes, moles, sides, strokes, mirrored)


def _marks(rng: np.random.Generator, people: int, most: int, size: float, contrast: float) -> np.ndarray:
    """Between FEWEST and `most` of them, evenly over the free skin."""
    slots = max(most, 1)
    count = rng.integers(min(FEWEST, most), most + 1, people)
    x, y = rng.random((2, people, slots, TRIES))
    x, y = 0.15 + 0.7 * x, 0.2 + 0.78 * y
    at = _free_skin(x, y).argmax(2)[:, :, None]
    radius = rng.uniform(min(LEAST_SIZE, size), size, (people, slots))
    dark = rng.uniform(min(LEAST_CONTRAST, contrast), contrast, (people, slots))
    radius[np.arange(slots) >= count[:, None]] = 0
    return np.stack([np.take_along_axis(x, at, 2)[:, :, 0], np.take_along_axis(y, at, 2)[:, :, 0], radius, dark], 2)[:, :most]


def _free_skin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """In the oval of a narrow face, outside eyes, brows, nostrils and mouth; the same on both sides."""
    u = np.abs(x - 0.5)
    oval = (u / 0.31) ** 2 + ((y - 0.58) / 0.38) ** 2 < 1
    eyes = (np.abs(u - 0.157) < 0.12) & (np.abs(y - 0.42) < 0.1)
    nostrils = (u < 0.1) & (np.abs(y - 0.66) < 0.05)
    mouth = (u < 0.19) & (np.abs(y - 0.83) < 0.07)
    return oval & ~eyes & ~nostrils & ~mouth


def _lines(rng: np.random.Generator, people: int, count: int) -> np.ndarray:
    """Short strokes on cheeks and forehead."""
    middle = np.stack([rng.uniform(0.25, 0.75, (people, count)), rng.choice([0.27, 0.6, 0.73], (people, count))], 2)
    angle, half = rng.uniform(0, np.pi, (people, count)), rng.uniform(0.02, 0.05, (people, count))
    along = np.stack([np.cos(angle), np.sin(angle)], 2) * half[:, :, None]
    return np.concatenate([middle - along, middle + along, rng.uniform(0.25, 0.5, (people, count, 1))], 2)
