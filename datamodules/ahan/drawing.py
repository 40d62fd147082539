"""Drawing embedded faces: smooth shapes in the template's frame, many faces at once.

Legend: N images, H = W pixels; u = x - 0.5 and v = y are coordinates on the face, s is +1 on the image's left side of it, else -1.
"""

import numpy as np

from datamodules.ahan.conditions import Conditions
from datamodules.ahan.people import People

__all__ = ["AMPLITUDES", "draw", "landmarks"]

EDGE = 4.0  # pixels beyond a mark's radius where its shade ends
CHUNK = 32  # images drawn at a time, so that a plane stays in the processor's cache
AMPLITUDES = np.array([0.022, 0.35, 0.022, 0.022, 0.02, 0.03], np.float32)  # of people.ASYMMETRIES at a = 1, from one side to the other
EYE_V, BROW_V, NOSE_V, MOUTH_V = 0.462, 0.36, 0.645, 0.828  # of the template
MIDDLE, TALL = 0.53, 0.5  # of the face's oval
SHADE = 0.5  # of the half turned away, at a right angle
WHITE, IRIS, PUPIL, LIP, NIGHT = np.array(
    [(0.93, 0.92, 0.9), (0.3, 0.2, 0.14), (0.04, 0.04, 0.04), (0.66, 0.3, 0.3), (0.15, 0.05, 0.05)], np.float32
)


class _Face:
    """What genes, asymmetry and expression make of the shapes; every field (N,1,1). `side` picks +a/2 or -a/2."""

    def __init__(self, people: People, person: np.ndarray, seen: Conditions):
        g = [column[:, None, None] for column in people.genes[person].T]
        self.a = [column[:, None, None] for column in (people.asym[person] * AMPLITUDES).T]
        self.width = 0.375 + 0.04 * g[0]
        self.jaw = 0.45 + 0.35 * g[1]
        self.eye_u = 0.157 + 0.016 * g[2]
        self.eye_size = 1 + 0.22 * g[3]
        self.brow_thick = 0.017 + 0.008 * g[4]
        self.brow_tilt = 0.22 * g[5]
        self.nose_wide = 0.062 + 0.018 * g[6]
        self.nose_v = NOSE_V + 0.025 * g[7]
        self.mouth_wide = 0.13 + 0.025 * g[8]
        self.lips = 0.026 + 0.01 * g[9]
        skin, hair = people.genes[person, 10], people.genes[person, 11]
        self.skin = np.array([0.74, 0.56, 0.46], np.float32) + skin[:, None] * np.array([0.16, 0.17, 0.17], np.float32)
        self.hair = np.array([0.3, 0.22, 0.16], np.float32) + hair[:, None] * np.array([0.22, 0.17, 0.11], np.float32)
        self.smile, self.gape, self.lift = (x[:, None, None] for x in (seen.smile, seen.gape, seen.lift))

    def eye_v(self, side: float | np.ndarray) -> np.ndarray:
        return EYE_V + side / 2 * self.a[0]

    def corner_v(self, side: float) -> np.ndarray:
        return MOUTH_V + side / 2 * self.a[3] - self.smile


def draw(people: People, person: np.ndarray, seen: Conditions, size: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """uint8 (N,size,size,3). `rng` draws the sensor's noise; the bytes do not depend on how many are drawn at a time."""
    images = np.empty((len(person), size, size, 3), np.uint8)
    for first in range(0, len(person), CHUNK):
        part = slice(first, first + CHUNK)
        planes = _draw(people, person[part], Conditions(*(x[part] for x in seen)), size, rng)
        images[part] = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 3, 0)
    return images


def landmarks(people: People, person: np.ndarray, seen: Conditions, size: int) -> np.ndarray:
    """float32 (N,5,2): where the five points of the template lie in the images, in pixels."""
    face = _Face(people, person, seen)
    wide = face.mouth_wide
    u = [-face.eye_u, face.eye_u, face.a[4], -wide, wide]
    v = [face.eye_v(1), face.eye_v(-1), face.nose_v, face.corner_v(1), face.corner_v(-1)]
    u_N5, v_N5 = (np.concatenate([np.broadcast_to(c, (len(person), 1, 1)) for c in cs], 1)[:, :, 0] for cs in (u, v))
    cos, sin = np.cos(seen.yaw)[:, None], np.sin(seen.yaw)[:, None]
    x, y = u_N5 * cos + _depth(v_N5) * sin, v_N5 - 0.5
    cos, sin = np.cos(seen.roll)[:, None], np.sin(seen.roll)[:, None]
    turned = np.stack([x * cos - y * sin, x * sin + y * cos], 2) + 0.5
    return (turned * size - 0.5 + seen.shift[:, None]).astype(np.float32)


def _draw(people: People, person: np.ndarray, seen: Conditions, size: int, rng: np.random.Generator | None) -> np.ndarray:
    """float32 (3,N,H,W), on a 0..1 scale."""
    face = _Face(people, person, seen)
    u, v = _on_face(seen, size)
    planes = np.empty((3, len(person), size, size), np.float32)
    down = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    for channel in range(3):
        above, below = seen.backdrop[:, channel, None, None], seen.backdrop[:, channel + 3, None, None]
        planes[channel] = above + (below - above) * down
    _head(planes, face, u, v, seen, size)
    _brows_and_eyes(planes, face, u, v, size)
    _nose(planes, face, u, v, size)
    _mouth(planes, face, u, v, size)
    _marks(planes, people.marks[person], u, v, seen, size)
    for line in range(people.lines.shape[1]):
        x0, y0, x1, y1, dark = (c[:, None, None] for c in people.lines[person, line].T)
        along_u, along_v = x1 - x0, y1 - y0
        t = np.clip(((u + 0.5 - x0) * along_u + (v - y0) * along_v) / (along_u**2 + along_v**2), 0, 1)
        planes *= 1 - dark * _soft(np.hypot(u + 0.5 - x0 - t * along_u, v - y0 - t * along_v) - 0.006, size)
    _light(planes, u, seen, size)
    _hide(planes, seen, size)
    _blur(planes, seen.blur)
    if rng is not None and seen.noise.any():  # drawn image by image, so that the size of a chunk does not count
        noise = rng.standard_normal((planes.shape[1], 3, size, size), np.float32).transpose(1, 0, 2, 3)
        planes += seen.noise[:, None, None] * noise
    return planes


def _on_face(seen: Conditions, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(u, v) of every pixel: roll and shift undone, then x = 0.5 + u cos(yaw) + depth(v) sin(yaw) solved for u."""
    at = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    x = at[None, None, :] - (seen.shift[:, 0] / size)[:, None, None]
    y = at[None, :, None] - (seen.shift[:, 1] / size)[:, None, None]
    cos, sin = np.cos(seen.roll)[:, None, None], np.sin(seen.roll)[:, None, None]
    v = y * cos - x * sin + np.float32(0.5)
    u = x * cos + y * sin
    cos, sin = np.cos(seen.yaw)[:, None, None], np.sin(seen.yaw)[:, None, None]
    return (u - _depth(v) * sin) / cos, v


def _depth(v: np.ndarray) -> np.ndarray:
    """How far the midline stands out, beside the eyes: the nose most, the chin a little less."""
    return np.maximum(0.13 - 3.2 * (v - 0.64) ** 2, 0) - 0.02


def _soft(d: np.ndarray, size: int) -> np.ndarray:
    """1 inside (d < 0), 0 outside, over a pixel; d in frame units."""
    return 1 / (1 + np.exp(np.clip(d * np.float32(size), -30, 30)))


def _ellipse(x: np.ndarray, y: np.ndarray, a: np.ndarray | float, b: np.ndarray | float, size: int) -> np.ndarray:
    """By the distance k (k - 1) / |gradient of k|, to first order: the cheaper (k - 1) min(a, b) would draw flat ones far too long."""
    xx, yy = (x / a) ** 2, (y / b) ** 2
    k = np.sqrt(xx + yy + np.float32(1e-8))
    slope = np.sqrt(xx / a**2 + yy / b**2 + np.float32(1e-8) / np.minimum(a, b) ** 2)
    return _soft(k * (k - 1) / slope, size)


def _paint(planes: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> None:
    """colour: (3,) or (N,3)"""
    for channel in range(3):
        target = colour[..., channel]
        planes[channel] += alpha * ((target[:, None, None] if colour.ndim == 2 else target) - planes[channel])


def _rows(size: int, low: float, high: float) -> slice:
    """Those that a part of the face can lie in, however it is turned and moved."""
    margin = 0.04 + 3 / size
    return slice(max(0, int((low - margin) * size)), min(size, int((high + margin) * size) + 1))


def _head(planes: np.ndarray, face: _Face, u: np.ndarray, v: np.ndarray, seen: Conditions, size: int) -> None:
    """Hair behind, the face's oval with its jaw and cheeks, its shade towards the edges, hair before the forehead."""
    hair = _ellipse(u, v - 0.45, face.width + 0.08, 0.53, size)
    hanging = _soft(np.abs(u) - face.width - 0.07, size) * (v > 0.45)
    _paint(planes, np.maximum(hair, hanging) * _soft(v - seen.hair[:, None, None], size), face.hair)
    t2 = ((v - MIDDLE) / TALL) ** 2
    lower = (v > MIDDLE) * face.jaw
    bump = np.maximum(1 - ((v - 0.68) / 0.2) ** 2, 0)
    width = face.width + np.where(u < 0, 0.5, -0.5) * face.a[5] * bump
    round2 = (u / width) ** 2
    outline = (np.sqrt(round2 + (1 - lower) * t2 + lower * t2 * t2) - 1) * face.width
    skin = _soft(outline, size)
    shade = 1 - 0.22 * np.minimum(round2, 1.5) - 0.06 * t2
    for channel in range(3):
        planes[channel] += skin * (face.skin[:, channel, None, None] * shade - planes[channel])
    top = _rows(size, 0, 0.25)
    _paint(planes[:, :, top], skin[:, top] * _soft(v[:, top] - 0.15 + 0.25 * u[:, top] ** 2, size), face.hair)


def _brows_and_eyes(planes: np.ndarray, face: _Face, u: np.ndarray, v: np.ndarray, size: int) -> None:
    rows = _rows(size, 0.24, 0.56)
    part, u, v = planes[:, :, rows], u[:, rows], v[:, rows]
    s = np.where(u < 0, np.float32(1), np.float32(-1))
    out = np.abs(u) - face.eye_u  # away from the nose
    brow = BROW_V - face.lift + s / 2 * face.a[2] + face.brow_tilt * out * 0.5 + 1.6 * out**2
    _paint(part, 0.9 * _ellipse(out, v - brow, 0.088, face.brow_thick, size), face.hair * np.float32(0.7))
    tall = 0.032 * face.eye_size * np.clip(1 + s / 2 * face.a[1], 0.35, 1.8)
    down = v - face.eye_v(s)
    _paint(part, 0.7 * _ellipse(out, down + 0.012, 0.072 * face.eye_size, tall, size), face.skin * np.float32(0.45))
    white = _ellipse(out, down, 0.066 * face.eye_size, tall, size)
    _paint(part, white, WHITE)
    _paint(part, white * _ellipse(out, down, 0.03 * face.eye_size, 0.03 * face.eye_size, size), IRIS)
    _paint(part, white * _ellipse(out, down, 0.013, 0.013, size), PUPIL)


def _nose(planes: np.ndarray, face: _Face, u: np.ndarray, v: np.ndarray, size: int) -> None:
    rows = _rows(size, 0.44, 0.73)
    part, u, v = planes[:, :, rows], u[:, rows], v[:, rows]
    along = np.clip((v - EYE_V) / (face.nose_v - EYE_V), 0, 1)
    u = u - face.a[4] * along  # the ridge leans to where the tip is
    ridge = np.abs(u) - (0.018 + (face.nose_wide - 0.018) * along**2)
    flank = np.exp(-((ridge / 0.016) ** 2)) * _soft(v - face.nose_v - 0.01, size) * along
    light = _ellipse(u, v - face.nose_v + 0.03, 0.018, 0.1, size)
    part *= 1 - 0.2 * flank + 0.1 * light
    nostrils = _ellipse(np.abs(u) - 0.55 * face.nose_wide, v - face.nose_v - 0.022, 0.35 * face.nose_wide, 0.011, size)
    _paint(part, 0.75 * nostrils, NIGHT)


def _mouth(planes: np.ndarray, face: _Face, u: np.ndarray, v: np.ndarray, size: int) -> None:
    rows = _rows(size, 0.72, 0.96)
    part, u, v = planes[:, :, rows], u[:, rows], v[:, rows]
    across = u / face.mouth_wide
    fade = np.maximum(1 - across**2, 0)
    # the line of the lips: raised or lowered at its corners, +a/2 on the left, by the smile on both
    line = MOUTH_V - across / 2 * face.a[3] - face.smile * across**2
    lips = (face.lips + face.gape / 2) * np.sqrt(fade) + 1e-4
    inside = _soft(np.abs(v - line) - lips, size) * _soft(np.abs(u) - face.mouth_wide, size)
    _paint(part, 0.8 * inside, 0.35 * face.skin + 0.65 * LIP)
    opening = (0.006 + face.gape / 2) * fade
    _paint(part, _soft(np.abs(v - line) - opening, size) * _soft(np.abs(u) - 0.97 * face.mouth_wide, size), NIGHT)


def _marks(planes: np.ndarray, marks: np.ndarray, u: np.ndarray, v: np.ndarray, seen: Conditions, size: int) -> None:
    """Each in a window of its own, for most of the face has none. marks: (N,M,4)"""
    if not marks.size or not marks[:, :, 2].any():
        return
    reach = int(np.ceil(float(marks[:, :, 2].max()) * size + EDGE)) + 1
    near = np.arange(-reach, reach + 1)
    rows = np.arange(len(marks))[:, None, None]
    for slot in range(marks.shape[1]):
        x, y, radius, dark = marks[:, slot].T
        cos, sin = np.cos(seen.yaw), np.sin(seen.yaw)
        across, down = (x - 0.5) * cos + _depth(y) * sin, y - 0.5
        cos, sin = np.cos(seen.roll), np.sin(seen.roll)
        column = (across * cos - down * sin + 0.5) * size - 0.5 + seen.shift[:, 0]
        row = (across * sin + down * cos + 0.5) * size - 0.5 + seen.shift[:, 1]
        at_x = np.floor(column).astype(int)[:, None, None] + near[None, None, :]
        at_y = np.floor(row).astype(int)[:, None, None] + near[None, :, None]
        valid = (at_x >= 0) & (at_x < size) & (at_y >= 0) & (at_y < size) & (radius > 0)[:, None, None]
        at_x, at_y = np.clip(at_x, 0, size - 1), np.clip(at_y, 0, size - 1)
        away = np.hypot(u[rows, at_y, at_x] - (x - 0.5)[:, None, None], v[rows, at_y, at_x] - y[:, None, None])
        alpha = dark[:, None, None] * _soft(away - radius[:, None, None], size)
        keep = valid & ((away - radius[:, None, None]) * size < EDGE)  # a round end, the same on both sides of the face
        n, h, w = (np.broadcast_to(i, alpha.shape)[keep] for i in (rows, at_y, at_x))
        planes[:, n, h, w] *= 1 - alpha[keep]


def _light(planes: np.ndarray, u: np.ndarray, seen: Conditions, size: int) -> None:
    at = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    from_side = seen.light[:, 0, None, None] * at[None, None, :] + seen.light[:, 1, None, None] * at[None, :, None]
    sin = np.sin(seen.yaw)[:, None, None]
    far = np.maximum(u * np.sign(sin), 0) * 2 * np.abs(sin)  # the half that turns away
    level = np.maximum(seen.gain[:, None, None] * (1 + from_side) * (1 - SHADE * far), 0)
    colour = seen.cast * seen.tint
    gamma = seen.gamma[:, None, None]
    for channel in range(3):
        lit = np.maximum(planes[channel] * level * colour[:, channel, None, None], 1e-6)
        planes[channel] = np.exp(gamma * np.log(lit)) if (seen.gamma != 1).any() else lit


def _hide(planes: np.ndarray, seen: Conditions, size: int) -> None:
    hidden = np.flatnonzero(seen.occluder[:, 2] > 0)
    if not len(hidden):
        return
    x, y, half_x, half_y, turn, grey = (c[:, None, None] for c in seen.occluder[hidden].T)
    at = ((np.arange(size) + 0.5) / size).astype(np.float32)
    dx, dy = at[None, None, :] - x, at[None, :, None] - y
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    planes[:, hidden] += _soft(np.maximum(np.abs(along) - half_x, np.abs(across) - half_y), size) * (grey - planes[:, hidden])


def _blur(planes: np.ndarray, sigma: np.ndarray) -> None:
    """w, 1 - 2w, w twice over rows and columns, whose variance is 4 w; w <= 1/4 up to one pixel."""
    if not sigma.any():
        return
    w = (sigma**2 / 4)[:, None, None]
    for axis in (2, 3):
        for _ in range(2):
            padded = np.pad(planes, [(0, 0)] * axis + [(1, 1)] + [(0, 0)] * (3 - axis), mode="edge")
            cut = [slice(None)] * axis
            planes += w * (padded[(*cut, slice(None, -2))] + padded[(*cut, slice(2, None))] - 2 * planes)
