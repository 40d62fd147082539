"""The geometry of the embedded colonoscopies: who has a polyp of which size, and from where each frame looks at it.

A pinhole camera of focal length f = 0.7 sides of the picture. A polyp of D mm at Z mm is d = f D / Z pixels wide.
"""

from typing import Any, NamedTuple

import numpy as np

from datamodules.errors import DataError

__all__ = ["CUES", "FIELD", "FOCAL", "FORCEPS_MM", "HABITS", "VERSION", "Scenes", "draw_scenes", "rng_of"]

VERSION = 2  # of the pictures: another number makes other ones
CUES = ("none", "texture", "forceps", "both")
FOCAL = 0.7  # sides of the picture
FIELD = 0.48  # radius of the field of view, in sides
NEAR, FAR = 8.0, 80.0  # mm
LEAST_PIXELS, LARGEST = 3.0, 0.6  # of an apparent diameter: pixels, and share of the side
FORCEPS_MM, FORCEPS_SHARE = 2.4, 0.7
# How many of the 100 polyps of the SUN Colonoscopy Video Database have which size in mm.
SUN_SIZES = {2: 4, 3: 23, 4: 14, 5: 19, 6: 8, 7: 8, 8: 4, 10: 4, 12: 4, 13: 4, 15: 7, 18: 1}
GOLDEN = (5**0.5 - 1) / 2
HABITS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 18.0, 20.0, 25.0, 30.0)  # sizes that a person reads by eye
GEOMETRY, PICTURE, PLANES = range(3)  # streams of randomness


class Scenes(NamedTuple):
    """Of every frame; all frames of a polyp one after the other. Lengths are in mm where named so, else in pixels."""

    polyp: np.ndarray  # int64 (n,)
    frame: np.ndarray  # int64 (n,): within its polyp
    mm: np.ndarray  # float32 (n,): the true diameter D
    read_mm: np.ndarray  # float32 (n,): as it was read; the true one where label_noise is 0
    distance_mm: np.ndarray  # float32 (n,): Z
    apparent: np.ndarray  # float32 (n,): d, the longer axis
    centre: np.ndarray  # float32 (n,2): x, y
    ratio: np.ndarray  # float32 (n,): shorter to longer axis
    angle: np.ndarray  # float32 (n,): of the longer axis
    box: np.ndarray  # float32 (n,4)
    texture_mm: np.ndarray  # float32 (n,): the distance whose texture is drawn; Z where texture is a cue
    forceps: np.ndarray  # bool (n,)
    forceps_width: np.ndarray  # float32 (n,): 0 where there is none
    forceps_angle: np.ndarray  # float32 (n,): from the polyp to where it comes from
    lumen: np.ndarray  # float32 (n,2): x, y of where the gut goes on
    lumen_radius: np.ndarray  # float32 (n,)
    depth_error: np.ndarray  # float32 (n,): ln of the depth plane's factor


def rng_of(seed: int, stream: int, *place: int) -> np.random.Generator:
    """Randomness of a polyp or frame that depends on nothing but its place: so it is the same whoever makes it, in whatever order."""
    return np.random.default_rng([VERSION, seed, stream, *place])


def draw_scenes(polyps: int, frames: int, size: int, seed: int, cue: str, label_noise: float) -> Scenes:
    if polyps < 1 or frames < 1 or size < 32 or seed < 0 or not 0 <= label_noise <= 1:
        raise DataError(
            "polyps, frames >= 1, size >= 32, seed >= 0, label_noise in 0..1 are needed; "
            f"got {polyps}, {frames}, {size}, {seed}, {label_noise:g}"
        )
    if cue not in CUES:
        raise DataError(f"cue {cue!r} is not one of {', '.join(CUES)}")
    real = np.sort(np.repeat(list(SUN_SIZES), list(SUN_SIZES.values())))
    begin = rng_of(seed, GEOMETRY).random()
    rows: list[dict[str, Any]] = []
    for polyp in range(polyps):
        rng = rng_of(seed, GEOMETRY, polyp)
        # ours: quantiles by the golden ratio instead of draws, so that any stretch of polyps, a split's too, has the real shares of sizes
        mm = float(real[int((begin + polyp * GOLDEN) % 1 * len(real))]) + rng.uniform(-0.5, 0.5)
        slip = rng.normal()
        read = mm if label_noise == 0 else min(HABITS, key=lambda habit: abs(habit - mm * np.exp(label_noise * slip)))
        ratio = rng.uniform(0.8, 1.0)
        for frame in range(frames):
            rows.append({"polyp": polyp, "frame": frame, "mm": mm, "read_mm": read, "ratio": ratio, **_look(rng, mm, ratio, size, cue)})
    kinds = {"polyp": np.int64, "frame": np.int64, "forceps": np.bool_}
    return Scenes(*(np.array([row[name] for row in rows], kinds.get(name, np.float32)) for name in Scenes._fields))


def _look(rng: np.random.Generator, mm: float, ratio: float, size: int, cue: str) -> dict[str, Any]:
    """One frame's view of a polyp."""
    focal, field, middle = FOCAL * size, FIELD * size, size / 2
    while True:
        distance = np.exp(rng.uniform(np.log(NEAR), np.log(FAR)))
        apparent = focal * mm / distance
        if LEAST_PIXELS <= apparent <= LARGEST * size:
            break
    angle = rng.uniform(0, np.pi)
    half = apparent / 2 * np.array([np.hypot(np.cos(angle), ratio * np.sin(angle)), np.hypot(np.sin(angle), ratio * np.cos(angle))])
    while True:  # anywhere, with its box within the field of view; the middle always fits
        centre = middle + field * rng.uniform(-1, 1, 2)
        if np.hypot(*(np.abs(centre - middle) + half)) <= field:
            break
    turn = np.arange(3) * 2.1 + rng.uniform(0, 2 * np.pi)
    places = middle + field * rng.uniform(0.2, 0.8) * np.stack([np.cos(turn), np.sin(turn)], 1)
    lumen = places[np.argmax(np.hypot(*(places - centre).T))]  # beside the polyp
    elsewhere = np.exp(rng.uniform(np.log(NEAR), np.log(FAR)))
    chance, wider, towards = rng.random(), rng.uniform(0.95, 1.05), rng.uniform(0, 2 * np.pi)
    radius, error = rng.uniform(0.18, 0.35) * size, 0.1 * rng.normal()
    forceps = cue in ("forceps", "both") and chance < FORCEPS_SHARE
    return {
        "distance_mm": distance,
        "apparent": apparent,
        "centre": centre,
        "angle": angle,
        "box": np.concatenate([centre - half, centre + half]),
        "texture_mm": distance if cue in ("texture", "both") else elsewhere,
        "forceps": forceps,
        "forceps_width": focal * FORCEPS_MM * wider / distance if forceps else 0.0,
        "forceps_angle": towards,
        "lumen": lumen,
        "lumen_radius": radius,
        "depth_error": error,
    }
