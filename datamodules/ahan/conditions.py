"""How an embedded face is seen: pose, light, expression, the session of a visit, what hides it. Nothing here tells who it is."""

from typing import NamedTuple

import numpy as np

__all__ = ["Conditions", "neutral", "seen"]

SHARED = 0.5  # chance that twins come together: one session for both, so that a session cannot tell twins apart


class Conditions(NamedTuple):
    """float32, one row an image. At zero or, of factors, at one, nothing happens: see `neutral`."""

    yaw: np.ndarray  # (n,) radians
    roll: np.ndarray  # (n,) radians, left over by the alignment
    shift: np.ndarray  # (n,2) pixels, likewise
    light: np.ndarray  # (n,2): brightness per half frame, to the right and down
    gain: np.ndarray  # (n,)
    gamma: np.ndarray  # (n,)
    cast: np.ndarray  # (n,3) factors of red, green, blue
    smile: np.ndarray  # (n,) mouth curve, in frame units
    gape: np.ndarray  # (n,) mouth opening, in frame units
    lift: np.ndarray  # (n,) of the brows, in frame units
    blur: np.ndarray  # (n,) standard deviation in pixels
    occluder: np.ndarray  # (n,6): x, y, half width, half height, turn, grey; half width 0: none
    hair: np.ndarray  # (n,) session: down to where the hair hangs
    backdrop: np.ndarray  # (n,6) session: colours above and below
    tint: np.ndarray  # (n,3) session: factors
    noise: np.ndarray  # (n,) session: standard deviation of the sensor's noise, on a 0..1 scale


def neutral(n: int) -> Conditions:
    """A frontal face in even light before a grey wall, sharp and without noise."""
    zero, one = np.zeros(n, np.float32), np.ones(n, np.float32)
    colours = np.ones((n, 3), np.float32)
    return Conditions(
        zero, zero, np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32), one, one, colours, zero, zero, zero, zero,
        np.zeros((n, 6), np.float32), np.full(n, 0.6, np.float32), np.full((n, 6), 0.5, np.float32), colours, zero,
    )  # fmt: skip


def seen(
    rng: np.random.Generator,
    person: np.ndarray,
    visit: np.ndarray,
    *,
    pose: float,
    light: float,
    expression: float,
    session: float,
    jitter: float,
    blur: float,
    noise: float,
    occlude: float,
) -> Conditions:
    """Of every image of `person` at `visit`. All is drawn whatever the knobs: one that is turned leaves the others' draws alone."""
    n, people, visits = len(person), int(person.max()) + 1, int(visit.max()) + 1
    rooms = rng.random((people, visits, 11))
    together = rng.random((people // 2, visits)) < SHARED
    rooms[1::2][together] = rooms[::2][together]
    room = rooms[person, visit]
    hair = 0.6 + session * (0.35 + 0.7 * room[:, 0] - 0.6)
    backdrop = 0.5 + session * (0.1 + 0.8 * room[:, 1:7] - 0.5)
    tint = 1 + session * 0.16 * (room[:, 7:10] - 0.5)
    sensor = noise * (room[:, 10] if session else rng.random(n))

    yaw = np.deg2rad(pose) * rng.uniform(-1, 1, n)
    roll = np.deg2rad(2 * jitter) * rng.uniform(-1, 1, n)
    shift = jitter * rng.uniform(-1, 1, (n, 2))
    direction = 0.3 * light * rng.uniform(-1, 1, (n, 2))
    gain = 1 + 0.3 * light * rng.uniform(-1, 1, n)
    gamma = 1 + light * (rng.uniform(0.8, 1.25, n) - 1)
    cast = 1 + 0.08 * light * rng.uniform(-1, 1, (n, 3))
    smile = 0.03 * expression * rng.uniform(-0.4, 1, n)
    gape = 0.04 * expression * np.maximum(rng.uniform(-0.7, 1, n), 0)
    lift = 0.025 * expression * rng.uniform(-0.4, 1, n)
    soft = blur * rng.random(n)
    hiding = np.column_stack(
        [rng.uniform(0.1, 0.9, n), rng.uniform(0.15, 0.95, n), rng.uniform(0.08, 0.16, n), rng.uniform(0.05, 0.1, n),
         rng.uniform(0, np.pi, n), rng.random(n)]
    )  # fmt: skip
    hiding[rng.random(n) >= occlude, 2] = 0
    found = (yaw, roll, shift, direction, gain, gamma, cast, smile, gape, lift, soft, hiding, hair, backdrop, tint, sensor)
    return Conditions(*(a.astype(np.float32) for a in found))
