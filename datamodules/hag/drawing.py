"""One frame of an embedded colonoscopy as pixels: gut, folds, vessels, texture, a polyp, forceps, light, and what the camera does to it.

All textures are of physical size: what is W mm wide at Z mm is f W / Z pixels wide. Colours and light are on a 0..1 scale.
"""

import math

import cv2
import numpy as np

from datamodules.hag.scenes import FIELD, FOCAL, PICTURE, Scenes, rng_of
from datamodules.hag.synth_planes import gut_depth, polyp_axes

__all__ = ["EXPOSED", "draw_forceps", "draw_frame"]

FOLD_MM = (15.0, 25.0)
VESSEL_MM, VESSEL_SPACING_MM = 0.25, 3.0
TEXTURE_MM = 1.0
EXPOSED = 0.40  # mean brightness of the field of view, whatever the distance
NOISE = 0.01
TONES = np.array([(0.82, 0.42, 0.34), (0.84, 0.49, 0.33), (0.78, 0.46, 0.42), (0.72, 0.36, 0.30), (0.82, 0.53, 0.42)], np.float32)
BLOOD = np.array([0.30, 0.52, 0.42], np.float32)  # what a vessel takes of red, green and blue
WET = np.array([1.0, 0.98, 0.96], np.float32)
STEEL = np.array([0.80, 0.85, 0.90], np.float32)
FINE = 4  # sixteenths of a pixel, as OpenCV counts


def draw_frame(scenes: Scenes, row: int, size: int, seed: int) -> np.ndarray:
    """uint8 (size,size,3)."""
    polyp, frame = int(scenes.polyp[row]), int(scenes.frame[row])
    patient, rng = rng_of(seed, PICTURE, polyp), rng_of(seed, PICTURE, polyp, frame)
    pixels_mm = FOCAL * size / float(scenes.texture_mm[row])  # at the distance whose texture is seen
    at = np.arange(size, dtype=np.float32) + 0.5
    x, y = at[None], at[:, None]
    tissue = _tone(patient)
    middle = size / 2
    away = (x - middle) ** 2 + (y - middle) ** 2
    light = (1 + away / (FOCAL * size) ** 2) ** -1.5 * (1 + 0.15 * _tilt(rng, x, y, size))

    grain = _grain(rng, size, pixels_mm)
    relief = _folds(rng, x, y, scenes.lumen[row], pixels_mm, size)
    nearness = (float(scenes.distance_mm[row]) / gut_depth(scenes, row, size)) ** 2  # light falls off with the square of the distance
    wall = relief * nearness * (1 + 0.10 * _cloud(rng, size, size / 5)) * (1 + 0.06 * grain)
    blood = 1 - BLOOD[:, None, None] * _vessels(rng, size, pixels_mm)
    picture = tissue[:, None, None] * blood * wall
    _polyp(rng, patient, picture, tissue, scenes, row, grain)
    picture *= light
    if scenes.forceps[row]:
        draw_forceps(rng, picture, scenes, row, x, y, light)

    field = np.clip(FIELD * size + 0.5 - np.sqrt(away), 0, 1)
    picture = _expose(picture, field)
    shine = _highlights(rng, x, y, size, scenes.centre[row], float(scenes.apparent[row])) * np.clip(relief, 0, 1)
    picture += shine * (WET[:, None, None] - picture)
    picture *= field
    if rng.random() < 0.3:
        _written(rng, picture, size)
    pixels = cv2.GaussianBlur(cv2.merge(list(picture)), (0, 0), 0.45)  # the lens
    pixels += np.float32(NOISE) * rng.standard_normal(pixels.shape, np.float32)
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


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
    return ((x - size / 2) * math.cos(turn) + (y - size / 2) * math.sin(turn)) / size


def _folds(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, lumen: np.ndarray, pixels_mm: float, size: int) -> np.ndarray:
    """Two to four crescents round the lumen: a bright ridge and a dark valley behind it, 15 to 25 mm apart, each on a part of the round."""
    dx, dy = x - lumen[0], y - lumen[1]
    away, turn = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
    spacing = rng.uniform(*FOLD_MM) * pixels_mm
    wave, lobes = rng.uniform(0, 2 * np.pi, 2).tolist(), rng.uniform(0.10, 0.22)
    warped = away * (1 + lobes * np.sin(2 * turn + wave[0]) + 0.5 * lobes * np.sin(3 * turn + wave[1]))
    relief = np.ones_like(away)
    first = rng.uniform(0.3, 1.0) * min(spacing, 0.5 * size)
    width = float(np.clip(0.16 * spacing, 1.2, 0.10 * size))
    for number in range(int(rng.integers(2, 5))):
        reach = np.clip(0.75 + 0.9 * np.cos(turn - rng.uniform(0, 2 * np.pi)), 0, 1)  # of the round
        if (place := first + number * spacing) > 1.5 * size:
            break
        t = (warped - place) / width
        relief += reach * (
            0.16 * np.exp(-((t - 1.2) ** 2)) - 0.50 * np.exp(-((t + 0.2) ** 2) * np.where(t < 0, np.float32(0.35), np.float32(2)))
        )
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
    scenes: Scenes,
    row: int,
    grain: np.ndarray,
) -> None:
    """A shaded half-ellipsoid on the picture, with its shadow on the wall; its texture is as fine as the wall's."""
    size = picture.shape[1]
    apparent, ratio = float(scenes.apparent[row]), float(scenes.ratio[row])
    half = apparent / 2
    left, top = (max(0, int(place - 1.7 * half) - 1) for place in scenes.centre[row])
    right, lower = (min(size, int(place + 1.7 * half) + 2) for place in scenes.centre[row])
    window = np.s_[top:lower, left:right]
    u, v = (axis[window] for axis in polyp_axes(scenes, row, size))
    rho = np.sqrt(u * u + v * v)
    mask = np.clip((1 - rho) * (half * math.sqrt(ratio)) + 0.5, 0, 1)  # its rim is a pixel wide
    height = np.sqrt(np.clip(1 - rho * rho, 0, 1))
    lean, side, dome = rng.uniform(-0.3, 0.3, 2).tolist(), rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.65)
    facing = np.clip((1 - dome + dome * height + lean[0] * u + lean[1] * v) / (1 + 0.5 * math.hypot(*lean)), 0.2, 1.2)
    redder = np.array([patient.uniform(1.0, 1.12), patient.uniform(0.70, 0.95), patient.uniform(0.75, 1.0)], np.float32)
    lumpy = 1 + 0.08 * grain.T[window] + 0.07 * _cloud(rng, size, max(4.0, apparent / 3))[window]
    nearer = (1 - 0.3 * float(scenes.mm[row]) / float(scenes.distance_mm[row]) * height) ** -2
    body = (tissue * redder)[:, None, None] * (0.92 * facing * lumpy * nearer)
    lee = np.clip(0.5 + 0.5 * (u * math.cos(side) + v * math.sin(side)), 0, 1)
    part = picture[:, top:lower, left:right]
    part *= 1 - (1 - mask) * 0.5 * np.exp(-((np.clip(rho - 1, 0, None) / 0.25) ** 2)) * lee
    part += mask * (body - part)


def draw_forceps(
    rng: np.random.Generator, picture: np.ndarray, scenes: Scenes, row: int, x: np.ndarray, y: np.ndarray, light: np.ndarray
) -> None:
    """A metal bar of known width from the border to the polyp's rim, at the polyp's distance."""
    width, turn = float(scenes.forceps_width[row]), float(scenes.forceps_angle[row])
    cos, sin = math.cos(turn), math.sin(turn)
    dx, dy = x - scenes.centre[row, 0], y - scenes.centre[row, 1]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    lean, half = turn - float(scenes.angle[row]), float(scenes.apparent[row]) / 2
    rim = half / math.hypot(math.cos(lean), math.sin(lean) / float(scenes.ratio[row]))
    bar = np.clip(width / 2 - np.abs(across) + 0.5, 0, 1) * np.clip(along - rim + 0.5, 0, 1)
    t = across / (width / 2)
    rings = 0.06 * np.sin(along * (2 * np.pi / (0.9 * width)) + rng.uniform(0, 6))
    metal = (0.28 + 0.42 * np.exp(-(((t - 0.25) / 0.45) ** 2)) + rings) * light
    picture += bar * (STEEL[:, None, None] * metal - picture)


def _expose(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Gain until the field of view has its mean brightness, highlights clipped."""
    seen = field > 0.5
    bright = (picture[0] + picture[1] + picture[2])[seen] / 3
    gain = 1.0
    for _ in range(4):
        gain *= EXPOSED / float(np.minimum(bright * gain, 0.95).mean())
    return np.minimum(picture * gain, 1.0)


def _highlights(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, size: int, centre: np.ndarray, apparent: float) -> np.ndarray:
    """Wet spots that mirror the lamp: near the optical axis, and on the polyp's top."""
    count, top = int(rng.integers(5, 16)), int(rng.integers(0, 4))
    places = np.concatenate([size / 2 + rng.normal(0, 0.17 * size, (count, 2)), centre + rng.normal(0, 0.16 * apparent, (top, 2))])
    shine = np.zeros((size, size), np.float32)
    for px, py in places.tolist():
        small, long, turn = rng.uniform(0.004, 0.012) * size, rng.uniform(1.0, 2.4), rng.uniform(0, np.pi)
        strength, r = rng.uniform(0.6, 1.3), int(4 * small * long) + 1
        rows, columns = np.s_[max(0, int(py) - r) : max(0, int(py) + r + 1)], np.s_[max(0, int(px) - r) : max(0, int(px) + r + 1)]
        dx, dy = x[:, columns] - px, y[rows] - py
        a, b = (dx * math.cos(turn) + dy * math.sin(turn)) / (small * long), (dy * math.cos(turn) - dx * math.sin(turn)) / small
        shine[rows, columns] = np.maximum(shine[rows, columns], strength * np.exp(-0.5 * (a * a + b * b)))
    return np.minimum(shine, 0.98)


def _written(rng: np.random.Generator, picture: np.ndarray, size: int) -> None:
    """A few grey signs in a corner, as of a burned-in date."""
    high, wide = max(2, size // 32), max(3, size // 8)
    top = int(rng.integers(1, 3)) * high
    signs = rng.random((2, wide // 2)) > 0.4
    for line, marks in enumerate(signs):
        patch = np.repeat(marks, 2)[:wide] * 0.75
        picture[:, top + 2 * line * high : top + (2 * line + 1) * high, 1 : 1 + len(patch)] = patch
