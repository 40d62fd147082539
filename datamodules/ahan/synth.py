"""The embedded set: twins' faces made by code, in which every cue - genes, marks, asymmetry, session - can be turned on and off."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.ahan.conditions import Conditions, neutral, seen
from datamodules.ahan.drawing import draw, landmarks
from datamodules.ahan.people import People, born
from datamodules.errors import DataError

__all__ = ["VERSION", "VISITS", "Knobs", "TwinFaceSet", "clean", "hash_faces", "twin_faces", "write_examples"]

VERSION = 1  # of the pictures: another number makes other ones
VISITS = 2  # of a person; half of the images each
LEAST_SIZE = 16


class Knobs(NamedTuple):
    """At 0 a cue or a nuisance is gone."""

    marks: int = 6  # the most that a person has; three the fewest
    mark_size: float = 0.03  # the largest radius, in frame units
    mark_contrast: float = 0.6  # the greatest darkness
    asym: float = 1.0
    lines: int = 0  # fine strokes of a person
    mirror: float = 0.0  # share of families whose second twin is the first one mirrored
    kinship: float = 1.0  # correlation of the two's genes: 1 identical, 0.7 fraternal, 0 strangers
    pose: float = 15.0  # degrees of yaw, to either side
    light: float = 1.0
    expression: float = 1.0
    session: float = 1.0  # how much hair, background and tint differ from visit to visit
    jitter: float = 1.0  # pixels of shift and twice as many degrees of roll, left over by the alignment
    blur: float = 1.0  # pixels
    noise: float = 0.03  # largest standard deviation
    occlude: float = 0.1  # share of images with something before the face


class TwinFaceSet(NamedTuple):
    """Persons 2f and 2f + 1 are family f. `people` are the latents, `points` the exact five landmarks in pixels."""

    images: np.ndarray  # uint8 (n,size,size,3)
    person: np.ndarray  # int64 (n,)
    family: np.ndarray  # int64 (n,)
    visit: np.ndarray  # int64 (n,), 0 or 1
    points: np.ndarray  # float32 (n,5,2)
    people: People
    conditions: Conditions


def twin_faces(
    families: int = 200, each: int = 6, size: int = 64, seed: int = 0, knobs: Knobs | None = None, images: np.ndarray | None = None
) -> TwinFaceSet:
    """`each` images of both twins of every family, person by person.

    images: of an earlier call with the same arguments, which are then not drawn again

    >>> made = twin_faces(families=2, each=2)
    >>> made.images.shape
    (8, 64, 64, 3)
    """
    knobs = knobs or Knobs()
    _check(families, each, size, seed, knobs)
    born_rng, seen_rng, noise_rng = (np.random.default_rng([VERSION, stream, seed]) for stream in range(3))
    own = {"marks", "mark_size", "mark_contrast", "asym", "lines", "mirror", "kinship"}
    options = knobs._asdict()
    people = born(born_rng, families, **{name: value for name, value in options.items() if name in own})
    person = np.repeat(np.arange(2 * families), each)
    visit = np.tile(np.arange(each) * VISITS // each, 2 * families)
    conditions = seen(seen_rng, person, visit, **{name: value for name, value in options.items() if name not in own})
    if images is None:
        images = draw(people, person, conditions, size, noise_rng)
    return TwinFaceSet(images, person, person // 2, visit, landmarks(people, person, conditions, size), people, conditions)


def clean(people: People, size: int = 64) -> np.ndarray:
    """uint8 (P,size,size,3): everybody once, frontal, in even light, without noise."""
    count = len(people.genes)
    return draw(people, np.arange(count), neutral(count), size)


def write_examples(folder: Path, n: int) -> list[Path]:
    """n faces as PNG files, two of each person and each twin in turn: inputs for an exported embedding of the embedded set."""
    import cv2

    made, paths = twin_faces(families=-(-n // 4), each=2, seed=VERSION + 2**31), []
    for i, (image, person) in enumerate(zip(made.images[:n], made.person, strict=False)):
        paths.append(folder / f"face-{person // 2}{'ab'[person % 2]}-{i % 2}.png")
        cv2.imwrite(str(paths[-1]), np.ascontiguousarray(image[:, :, ::-1]))
    return paths


def hash_faces(made: TwinFaceSet) -> str:
    """A fingerprint of made faces and of who is on them."""
    digest = hashlib.sha256()
    for array in (made.images, made.person, made.visit):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _check(families: int, each: int, size: int, seed: int, knobs: Knobs) -> None:
    if families < 1 or each < 2 or size < LEAST_SIZE or seed < 0:
        raise DataError(
            f"twin faces need families >= 1, each >= 2, size >= {LEAST_SIZE}, seed >= 0; got {families}, {each}, {size}, {seed}"
        )
    for name, value in knobs._asdict().items():
        if not np.isfinite(value) or value < 0:
            raise DataError(f"twin faces: {name} must be a number of at least 0, got {value}")
    most = {"mirror": 1, "kinship": 1, "occlude": 1, "session": 1, "light": 1, "mark_contrast": 1, "mark_size": 0.1, "blur": 1, "pose": 60}
    for name, limit in most.items():
        if getattr(knobs, name) > limit:
            raise DataError(f"twin faces: {name} must be at most {limit}, got {getattr(knobs, name)}")
