"""Whole pages and photographs with the corners of every word: what a detector of words is measured on."""

import random
from typing import NamedTuple

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.otsnet.generator.face import SIZE, Face
from datamodules.otsnet.generator.faces import all_faces, weights
from datamodules.otsnet.generator.sheets import Sheets
from datamodules.otsnet.generator.wording import CHARACTERS_94, Wording

__all__ = ["KINDS", "Page", "PageMaker"]

KINDS = ("document", "sign", "scene")
VERSION = 1


class Page(NamedTuple):
    image: np.ndarray  # uint8 (H,W,3) RGB
    words: list[str]  # in the order in which they are read
    quads: np.ndarray  # float32 (n,4,2): x, y of the corners of each word's ink, clockwise from its top left


class Block(NamedTuple):
    """Lines of words, before they lie anywhere."""

    ink: np.ndarray  # float32 (h,w), 0..1
    words: list[str]
    quads: np.ndarray  # float32 (n,4,2)


class PageMaker:
    """Pages by number, each always the same.

    kind: "document": a text page as a scanner gives it; "sign": one or two boards, slightly turned and in perspective, on a plain or
    textured ground; "scene": boards and loose words among clutter, blurred and noisy

        image, words, quads = PageMaker("sign", seed=1).draw(0)
    """

    def __init__(self, kind: str, seed: int = 0) -> None:
        if kind not in KINDS:
            raise DataError(f"kind: {kind!r} is none of {', '.join(KINDS)}")
        self.kind, self.seed = kind, seed
        self._wording = Wording(CHARACTERS_94, None, held_out=False)
        self._faces = all_faces(CHARACTERS_94, None)
        self._weights = weights(self._faces)
        self._sheets = Sheets(np.random.default_rng([VERSION, seed]), None)

    def draw(self, index: int) -> Page:
        rng = random.Random(((VERSION << 8 | KINDS.index(self.kind)) << 64 | self.seed) << 64 | index)
        return {"document": self._document, "sign": self._sign, "scene": self._scene}[self.kind](rng)

    # --- kinds -----------------------------------------------------------------------------------------------------

    def _document(self, rng: random.Random) -> Page:
        high, wide = rng.randint(500, 1000), rng.randint(500, 900)
        paper, colour = rng.uniform(215, 255), rng.uniform(0, 70)
        image = np.full((high, wide, 3), paper, np.float32)
        words: list[str] = []
        quads: list[np.ndarray] = []
        y, left = rng.randint(20, 60), rng.randint(20, 60)
        while y < high - 60:
            head = rng.random() < 0.2
            height = rng.uniform(30, 44) if head else rng.uniform(15, 28)  # pixels of an em
            room = wide - 2 * left
            block = self._block(rng, height, 1 if head else rng.randint(1, 5), room, spacing=0)
            h, w = block.ink.shape
            if y + h > high - 10:
                break
            _ink(image[y : y + h, left : left + w], block.ink, np.full(3, colour))
            words += block.words
            quads += [quad + np.array([left, y], np.float32) for quad in block.quads]
            y += h + round(rng.uniform(0.6, 1.6) * height)
        image += self._grain(rng, high, wide) * rng.uniform(0, 5)
        return Page(_bytes(image), words, _stacked(quads))

    def _sign(self, rng: random.Random) -> Page:
        high, wide = rng.randint(360, 720), rng.randint(480, 960)
        image = np.full((high, wide, 3), [rng.uniform(0, 255) for _ in range(3)], np.float32)
        image += rng.uniform(0, 25) * self._texture(rng, high, wide)
        words: list[str] = []
        quads: list[np.ndarray] = []
        boards = rng.randint(1, 2)
        for i in range(boards):
            space = (0, wide, i * high // boards, (i + 1) * high // boards)
            self._board(rng, image, space, words, quads, tilt=6.0)
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9)) + self._grain(rng, high, wide) * rng.uniform(0, 6)
        return Page(_bytes(image), words, _stacked(quads))

    def _scene(self, rng: random.Random) -> Page:
        high, wide = rng.randint(480, 800), rng.randint(640, 1024)
        image = np.full((high, wide, 3), [rng.uniform(40, 215) for _ in range(3)], np.float32)
        image += rng.uniform(20, 60) * self._texture(rng, high, wide)
        for _ in range(rng.randint(4, 16)):
            _clutter(rng, image)
        words: list[str] = []
        quads: list[np.ndarray] = []
        for i in range(4):
            if rng.random() < 0.6 or (i == 3 and not words):
                x, y = i % 2 * wide // 2, i // 2 * high // 2
                self._board(rng, image, (x, x + wide // 2, y, y + high // 2), words, quads, tilt=10.0)
        image *= (1 + rng.uniform(-0.3, 0.3) * np.linspace(-1, 1, wide, dtype=np.float32))[None, :, None]
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3)) + self._grain(rng, high, wide) * rng.uniform(2, 12)
        packed = cv2.imencode(".jpg", _bytes(image), [cv2.IMWRITE_JPEG_QUALITY, rng.randint(50, 95)])[1]
        return Page(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)), words, _stacked(quads))

    # --- parts -----------------------------------------------------------------------------------------------------

    def _board(
        self,
        rng: random.Random,
        image: np.ndarray,
        space: tuple[int, int, int, int],
        words: list[str],
        quads: list[np.ndarray],
        tilt: float,
    ) -> None:
        """One to three lines on a board of one colour, laid into a part of the picture by a slight perspective."""
        x0, x1, y0, y1 = space
        block = self._block(rng, 40.0, rng.randint(1, 3), rng.uniform(160, 420), spacing=rng.choice((0, 0, 0, 2, 5)))
        margin = rng.randint(10, 24)
        ink = cv2.copyMakeBorder(block.ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        h, w = ink.shape
        scale = min((x1 - x0) / w, (y1 - y0) / h) * rng.uniform(0.5, 0.85)
        corner = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
        turned = (corner - [w / 2, h / 2]) * scale
        angle = np.radians(rng.uniform(-tilt, tilt))
        turned = turned @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned += np.array([[rng.uniform(-0.05, 0.05) * w * scale, rng.uniform(-0.06, 0.06) * h * scale] for _ in range(4)])
        spare = np.array([x1 - x0, y1 - y0]) - np.ptp(turned, axis=0)
        shift = np.array([x0, y0]) + np.maximum(spare, 0) * [rng.random(), rng.random()] - turned.min(0)
        matrix = cv2.getPerspectiveTransform(corner, (turned + shift).astype(np.float32))
        high, wide = image.shape[:2]
        ground = np.array([rng.uniform(0, 255) for _ in range(3)], np.float32)
        colour = _other_colour(rng, ground)
        if rng.random() < 0.8:
            _ink(image, cv2.warpPerspective(np.ones_like(ink), matrix, (wide, high)), ground)
        else:
            local = image[max(0, y0) : y1, x0:x1].mean((0, 1))
            colour = _other_colour(rng, local)
        _ink(image, cv2.warpPerspective(ink, matrix, (wide, high), flags=cv2.INTER_AREA if scale < 0.7 else cv2.INTER_LINEAR), colour)
        words += block.words
        quads += [cv2.perspectiveTransform(quad[None] + np.float32(margin), matrix)[0] for quad in block.quads]

    def _block(self, rng: random.Random, em: float, lines: int, room: float, spacing: int) -> Block:
        """Lines of words of one face; `room` wide at most, but for a single longer word."""
        face = rng.choices(self._faces, self._weights)[0]
        scale, blank = em / SIZE, rng.uniform(10, 14) + 2 * spacing
        rows: list[tuple[np.ndarray, list[str], np.ndarray]] = []
        for _ in range(lines):
            row: list[str] = []
            while True:
                more = self._wording.draw(rng).text.split()
                tried, _ = _line(face, [*row, *more], spacing, blank)
                if row and tried.shape[1] * scale > room:
                    break
                row += more
                if tried.shape[1] * scale > 0.7 * room:
                    break
            ink, boxes = _line(face, row, spacing, blank)
            rows.append((ink, row, boxes))
        wide, pitch = max(ink.shape[1] for ink, *_ in rows), round(SIZE * rng.uniform(1.25, 1.6))
        sheet = np.zeros((pitch * (lines - 1) + HIGH, wide), np.float32)
        centred, words, quads = rng.random() < 0.3, [], []
        for i, (ink, row, boxes) in enumerate(rows):
            x, y = (wide - ink.shape[1]) // 2 if centred else 0, i * pitch
            part = sheet[y : y + HIGH, x : x + ink.shape[1]]
            np.maximum(part, ink, out=part)
            words += row
            quads += [box + np.array([x, y], np.float32) for box in boxes]
        size = (max(1, round(wide * scale)), max(1, round(sheet.shape[0] * scale)))
        sheet = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        return Block(sheet, words, _stacked(quads) * np.array([size[0] / wide, size[1] / (pitch * (lines - 1) + HIGH)], np.float32))

    def _texture(self, rng: random.Random, high: int, wide: int) -> np.ndarray:
        sheet = self._sheets.textures[rng.randrange(len(self._sheets.textures))]
        return cv2.resize(sheet, (wide, high), interpolation=cv2.INTER_LINEAR)[:, :, None]

    def _grain(self, rng: random.Random, high: int, wide: int) -> np.ndarray:
        noise = np.tile(self._sheets.noise, (-(-high // 128), -(-wide // 512), 1))
        return np.roll(noise, (rng.randrange(128), rng.randrange(512)), (0, 1))[:high, :wide]


HIGH, BASELINE = 64, 46  # of a line at SIZE pixels an em


def _line(face: Face, words: list[str], spacing: int, blank: float) -> tuple[np.ndarray, np.ndarray]:
    """(float32 (64,w) ink, float32 (n,4,2) corners of each word's ink)."""
    placed: list[tuple[np.ndarray, int, int, int]] = []  # mask, left, top, word
    pen = 4.0
    for number, word in enumerate(words):
        for before, character in zip(" " + word, word, strict=False):
            glyph = face.glyph(character, 0)
            pen += 0 if before == " " else face.kern(before, character) + spacing
            if glyph.mask.size:
                placed.append((glyph.mask, max(0, round(pen) + glyph.left), max(0, BASELINE + glyph.top), number))
            pen += glyph.advance
        pen += blank
    wide = max(left + mask.shape[1] for mask, left, *_ in placed)
    ink = np.zeros((HIGH, wide), np.float32)
    bounds = np.tile(np.array([np.inf, np.inf, -np.inf, -np.inf]), (len(words), 1))
    for mask, left, top, number in placed:
        mask = mask[: HIGH - top]
        part = ink[top : top + mask.shape[0], left : left + mask.shape[1]]
        np.maximum(part, mask / np.float32(255), out=part)
        low, high = bounds[number, :2], bounds[number, 2:]
        bounds[number] = [*np.minimum(low, (left, top)), *np.maximum(high, (left + mask.shape[1], top + mask.shape[0]))]
    return ink, bounds[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).astype(np.float32)


def _other_colour(rng: random.Random, ground: np.ndarray) -> np.ndarray:
    """At least 70 of 255 lighter or darker."""
    light = float(ground.mean())
    down = rng.random() < 0.5 if 80 < light < 175 else light > 127
    target = rng.uniform(0, light - 70) if down and light >= 70 else rng.uniform(light + 70, 255)
    colour = np.array([target + rng.uniform(-30, 30) for _ in range(3)])
    return np.clip(colour + (target - colour.mean()), 0, 255).astype(np.float32)


def _ink(image: np.ndarray, ink: np.ndarray, colour: np.ndarray) -> None:
    image += ink[:, :, None] * (colour.astype(np.float32) - image)


def _clutter(rng: random.Random, image: np.ndarray) -> None:
    high, wide = image.shape[:2]
    colour = [rng.uniform(0, 255) for _ in range(3)]
    x, y, size = rng.randrange(wide), rng.randrange(high), rng.randint(8, 200)
    kind = rng.randrange(3)
    if kind == 0:
        cv2.rectangle(image, (x, y), (x + size, y + rng.randint(8, 200)), colour, rng.choice((-1, 2, 4)))
    elif kind == 1:
        cv2.circle(image, (x, y), size // 2, colour, rng.choice((-1, 3)))
    else:
        cv2.line(image, (x, y), (rng.randrange(wide), rng.randrange(high)), colour, rng.randint(1, 5), cv2.LINE_AA)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _stacked(quads: list[np.ndarray]) -> np.ndarray:
    return np.stack(quads).astype(np.float32) if quads else np.zeros((0, 4, 2), np.float32)
