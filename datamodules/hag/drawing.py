"""One frame of an embedded colonoscopy as pixels: gut, folds, vessels, texture, a polyp, forceps, light, and what the camera does to it.

All textures are of physical size: what is W mm wide at Z mm is f W / Z pixels wide. Colours and light are on a 0..1 scale.
"""

import cv2
import numpy as np

from datamodules.hag.scenes import FIELD, FOCAL, PICTURE, Scenes, rng_of
from datamodules.hag.synth_planes import depth_map, polyp_axes

__all__ = ["EXPOSED", "draw_frame"]

FOLD_MM = (15.0, 25.0)
VESSEL_MM, VESSEL_SPACING_MM = 0.25, 3.0
TEXTURE_MM = 1.0
EXPOSED = 0.40  # mean brightness of the field of view, whatever the distance
NOISE = 0.01
TONES = np.array([(0.80, 0.42, 0.34), (0.84, 0.52, 0.30), (0.78, 0.46, 0.42), (0.72, 0.36, 0.30), (0.82, 0.56, 0.42)], np.float32)
FINE = 4  # sixteenths of a pixel, as OpenCV counts


def draw_frame(scenes: Scenes, row: int, size: int, seed: int) -> np.ndarray:
    """uint8 (size,size,3)."""
    polyp, frame = int(scenes.polyp[row]), int(scenes.frame[row])
    patient, rng = rng_of(seed, PICTURE, polyp), rng_of(seed, PICTURE, polyp, frame)
    pixels_mm = FOCAL * size / float(scenes.texture_mm[row])  # at the distance whose texture is seen
    at = np.arange(size, dtype=np.float32) + 0.5
    x, y = np.broadcast_to(at[None], (size, size)), np.broadcast_to(at[:, None], (size, size))
    tissue = _tone(patient)
    depth = depth_map(scenes, row, size)

    relief = _folds(rng, x, y, scenes.lumen[row], pixels_mm, size)
    picture = tissue * (1 + 0.10 * _cloud(rng, size, size / 5)[..., None]) * relief[..., None]
    vessels = _vessels(rng, size, pixels_mm)[..., None]
    picture = picture * (1 - vessels * np.array([0.30, 0.52, 0.42], np.float32))
    grain = _grain(rng, size, pixels_mm)
    picture *= 1 + 0.06 * grain[..., None]

    u, v = polyp_axes(scenes, row, size)
    picture, bump = _polyp(rng, patient, picture, tissue, u, v, float(scenes.apparent[row]), float(scenes.ratio[row]), pixels_mm, size)
    nearness = (float(scenes.distance_mm[row]) / depth) ** 2  # light falls off with the square of the distance
    middle = size / 2
    off_axis = ((x - middle) ** 2 + (y - middle) ** 2) / (FOCAL * size) ** 2
    light = nearness / (1 + off_axis) ** 1.5 * (1 + 0.15 * _tilt(rng, x, y, size))
    picture *= light[..., None]
    if scenes.forceps[row]:
        _forceps(rng, picture, scenes, row, x, y)

    radius = np.hypot(x - middle, y - middle)
    field = np.clip(FIELD * size + 0.5 - radius, 0, 1)
    picture = _expose(picture, field)
    shine = _highlights(rng, x, y, size, relief, bump, scenes.centre[row], float(scenes.apparent[row]))[..., None]
    picture = picture * (1 - shine) + shine * np.array([1.0, 0.98, 0.96], np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.45)  # the lens
    picture *= field[..., None]
    if rng.random() < 0.3:
        _written(rng, picture, size)
    picture += NOISE * rng.standard_normal(picture.shape, np.float32)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _tone(patient: np.random.Generator) -> np.ndarray:
    """The colour of a patient's mucosa: pink to orange."""
    weights = patient.dirichlet(np.full(len(TONES), 0.6))
    return (weights @ TONES * patient.uniform(0.9, 1.1, 3)).astype(np.float32)


def _cloud(rng: np.random.Generator, size: int, width: float) -> np.ndarray:
    """Smooth noise of mean about 0 and spread about 1."""
    coarse = max(4, round(2 * size / width))
    return cv2.resize(rng.standard_normal((coarse, coarse), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def _tilt(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    turn = rng.uniform(0, 2 * np.pi)
    return ((x - size / 2) * np.cos(turn) + (y - size / 2) * np.sin(turn)) / size


def _folds(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, lumen: np.ndarray, pixels_mm: float, size: int) -> np.ndarray:
    """Two to four crescents round the lumen: a bright ridge and a dark valley behind it, 15 to 25 mm apart, each on a part of the round."""
    dx, dy = x - lumen[0], y - lumen[1]
    away, turn = np.hypot(dx, dy), np.arctan2(dy, dx)
    spacing = rng.uniform(*FOLD_MM) * pixels_mm
    wave, lobes = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.10, 0.22)
    warped = away * (1 + lobes * np.sin(2 * turn + wave[0]) + 0.5 * lobes * np.sin(3 * turn + wave[1]))
    relief = np.ones_like(away)
    first = rng.uniform(0.3, 1.0) * min(spacing, 0.5 * size)
    for number in range(int(rng.integers(2, 5))):
        place, width = first + number * spacing, np.clip(0.16 * spacing, 1.2, 0.10 * size)
        reach = np.clip(0.75 + 0.9 * np.cos(turn - rng.uniform(0, 2 * np.pi)), 0, 1)  # of the round
        t = (warped - place) / width
        relief += reach * (0.16 * np.exp(-((t - 1.2) ** 2)) - 0.50 * np.exp(-((t + 0.2) ** 2) * np.where(t < 0, 0.35, 2.0)))
    return np.clip(relief, 0.15, 1.4)


def _vessels(rng: np.random.Generator, size: int, pixels_mm: float) -> np.ndarray:
    """Random walks, 3 mm apart and 0.25 mm wide; thinner than a pixel they fade."""
    scale = 2  # drawn twice as large
    spacing, width = VESSEL_SPACING_MM * pixels_mm, VESSEL_MM * pixels_mm
    count, steps = int(np.clip(round(1.4 * size / spacing), 1, 40)), 16
    stride = 1.6 * size / steps
    bend = rng.normal(0, min(1.2, 0.35 * (stride / spacing) ** 0.5), (count, steps))
    heading = rng.uniform(0, 2 * np.pi, (count, 1)) + np.cumsum(bend, 1)
    start = rng.uniform(-0.2, 1.2, (count, 2)) * size
    walk = start[:, None] + np.cumsum(stride * np.stack([np.cos(heading), np.sin(heading)], 2), 1)
    walk -= 0.5 * (walk[:, -1:] - start[:, None])
    thick = max(1, round(scale * width))
    strength = min(1.0, scale * width / thick) * rng.uniform(0.5, 1.0)
    plate = np.zeros((scale * size, scale * size), np.uint8)
    cv2.polylines(plate, list(np.rint(walk * scale * 2**FINE).astype(np.int32)), False, 255, thick, cv2.LINE_AA, FINE)
    visible = np.clip(0.35 + 0.5 * _cloud(rng, size, size / 3), 0, 1)  # vessels lie at varying depth under the mucosa
    return cv2.resize(plate, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 * strength * visible


def _grain(rng: np.random.Generator, size: int, pixels_mm: float) -> np.ndarray:
    """Band-passed noise of 1 mm wavelength and spread 1; finer than two pixels it fades, as it does for a camera."""
    wave = TEXTURE_MM * pixels_mm
    noise = rng.standard_normal((size, size), np.float32)
    band = cv2.GaussianBlur(noise, (0, 0), max(0.3, wave / 6)) - cv2.GaussianBlur(noise, (0, 0), max(0.6, wave / 3))
    return band / max(float(band.std()), 1e-6) * float(np.clip((wave - 0.8) / 1.2, 0, 1))


def _polyp(
    rng: np.random.Generator,
    patient: np.random.Generator,
    picture: np.ndarray,
    tissue: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    apparent: float,
    ratio: float,
    pixels_mm: float,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(the picture with a shaded half-ellipsoid on it, its mask)."""
    rho = np.hypot(u, v)
    half = apparent * ratio**0.5 / 2
    mask = np.clip((1 - rho) * half + 0.5, 0, 1)  # its rim is a pixel wide
    height = np.sqrt(np.clip(1 - rho * rho, 0, 1))
    lean = rng.uniform(-0.35, 0.35, 2)
    facing = np.clip((0.25 + 0.75 * height + lean[0] * u + lean[1] * v) / (1 + np.hypot(*lean)), 0.12, 1.2)
    redder = np.array([patient.uniform(1.0, 1.12), patient.uniform(0.70, 0.92), patient.uniform(0.72, 0.95)], np.float32)
    lumpy = 1 + 0.09 * _grain(rng, size, pixels_mm) + 0.05 * _cloud(rng, size, max(4.0, apparent / 3))
    body = tissue * redder * (1.12 * facing * lumpy)[..., None]
    side = rng.uniform(0, 2 * np.pi)
    shade = 0.45 * np.exp(-((np.clip(rho - 1, 0, None) / 0.22) ** 2)) * np.clip(0.55 + 0.45 * (u * np.cos(side) + v * np.sin(side)), 0, 1)
    picture = picture * (1 - shade * (1 - mask))[..., None]
    return picture * (1 - mask[..., None]) + body * mask[..., None], mask


def _forceps(rng: np.random.Generator, picture: np.ndarray, scenes: Scenes, row: int, x: np.ndarray, y: np.ndarray) -> None:
    """A metal bar of known width from the border to the polyp's rim, at the polyp's distance."""
    width, turn = float(scenes.forceps_width[row]), float(scenes.forceps_angle[row])
    cos, sin = np.cos(turn), np.sin(turn)
    dx, dy = x - scenes.centre[row, 0], y - scenes.centre[row, 1]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    lean, half = turn - float(scenes.angle[row]), float(scenes.apparent[row]) / 2
    rim = half / np.hypot(np.cos(lean), np.sin(lean) / float(scenes.ratio[row]))
    bar = np.clip(width / 2 - np.abs(across) + 0.5, 0, 1) * np.clip(along - rim + 0.5, 0, 1)
    t = across / (width / 2)
    metal = 0.35 + 0.45 * np.exp(-(((t - 0.25) / 0.45) ** 2)) + 0.12 * (np.sin(along * 2 * np.pi / (0.9 * width) + rng.uniform(0, 6)) > 0.6)
    steel = metal[..., None] * np.array([0.80, 0.85, 0.90], np.float32)
    picture *= 1 - bar[..., None]
    picture += steel * bar[..., None]


def _expose(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Gain until the field of view has its mean brightness, highlights clipped."""
    seen = field > 0.5
    bright = picture.mean(2)[seen]
    gain = 1.0
    for _ in range(4):
        gain *= EXPOSED / float(np.minimum(bright * gain, 0.95).mean())
    return np.minimum(picture * gain, 1.0)


def _highlights(
    rng: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    size: int,
    relief: np.ndarray,
    bump: np.ndarray,
    centre: np.ndarray,
    apparent: float,
) -> np.ndarray:
    """Wet spots that mirror the lamp: near the optical axis, and on the polyp's top."""
    count, top = int(rng.integers(5, 16)), int(rng.integers(0, 4))
    places = np.concatenate([size / 2 + rng.normal(0, 0.17 * size, (count, 2)), centre + rng.normal(0, 0.16 * apparent, (top, 2))])
    shine = np.zeros((size, size), np.float32)
    for px, py in places:
        small, long, turn = rng.uniform(0.005, 0.013) * size, rng.uniform(1.0, 2.4), rng.uniform(0, np.pi)
        x0, y0, r = int(px), int(py), int(4 * small * long) + 1
        window = np.s_[max(0, y0 - r) : max(0, y0 + r + 1), max(0, x0 - r) : max(0, x0 + r + 1)]
        dx, dy = x[window] - px, y[window] - py
        a, b = (dx * np.cos(turn) + dy * np.sin(turn)) / (small * long), (dy * np.cos(turn) - dx * np.sin(turn)) / small
        shine[window] = np.maximum(shine[window], 0.98 * np.exp(-0.5 * (a * a + b * b)) * rng.uniform(0.6, 1.0))
    return np.clip(shine * 1.3, 0, 1) * np.clip(relief, 0, 1)


def _written(rng: np.random.Generator, picture: np.ndarray, size: int) -> None:
    """A few grey signs in a corner, as of a burned-in date."""
    high, wide = max(2, size // 32), max(3, size // 8)
    top = int(rng.integers(1, 3)) * high
    signs = rng.random((2, wide // 2)) > 0.4
    for line, marks in enumerate(signs):
        patch = np.repeat(marks, 2)[:wide] * 0.75
        picture[top + 2 * line * high : top + (2 * line + 1) * high, 1 : 1 + len(patch)] = patch[None, :, None]
