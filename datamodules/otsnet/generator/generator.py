"""Pictures of words without end: the one with a seed and an index is always the same."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.errors import DataError
from datamodules.otsnet.generator.composing import compose
from datamodules.otsnet.generator.degrading import compressed, photographed
from datamodules.otsnet.generator.embedded import ALPHABET, draw_embedded
from datamodules.otsnet.generator.faces import Face, all_faces, held_out_families, weights
from datamodules.otsnet.generator.geometry import Place, place, placed_ink
from datamodules.otsnet.generator.legible import LEAST_CONTRAST, contrast
from datamodules.otsnet.generator.letter_boxes import letter_boxes
from datamodules.otsnet.generator.line import Line, set_line
from datamodules.otsnet.generator.recipe import EASY, REAL, Recipe
from datamodules.otsnet.generator.sheets import Sheets
from datamodules.otsnet.generator.wording import CHARACTERS_94, Said, Wording

__all__ = ["PROFILES", "VERSION", "Drawn", "Generator", "Written"]

VERSION = 1  # of the pictures: another number makes other ones
PROFILES = ("real", "easy", "embedded")
TRIES = 8  # of colours, until ink and surround differ


class Drawn(NamedTuple):
    image: np.ndarray  # uint8 (32,128,3) RGB; (32,64,3) of the profile "embedded"; of the word's own width with keep_ratio
    label: str
    boxes: np.ndarray  # float32 (len(label),4): x0 y0 x1 y1 in 0..1 of the picture


class Written(NamedTuple):
    """A word set and placed, before there is any colour."""

    said: Said
    face: Face
    line: Line
    where: Place
    ink: np.ndarray  # float32 (32,128), or of the word's own width


class Generator:
    """Draws a picture of a word by its index, in any order and any process.

    profile: "real", "easy" or "embedded". charset: the label's characters; with one case only, labels are folded to it, and
    punctuation that it lacks is in the picture but not in the label. words: one's own, or a text file with one a line, instead of
    ours. fonts: files and folders instead of the system's; an empty list for the built-in faces alone. difficulty: scales every
    probability and spread. heldout: words and faces that training, which is False, never sees. orientation_mix: share of pictures
    turned by one to three quarters. backgrounds: a folder of pictures for half of the backgrounds. keep_ratio: words are not stretched to
    128 pixels, and squeezed only where they are longer.

        image, label, boxes = Generator(seed=1).draw(0)
    """

    def __init__(
        self,
        profile: str = "real",
        seed: int = 0,
        charset: str | None = None,
        words: Sequence[str] | str | Path | None = None,
        fonts: Iterable[str | Path] | None = None,
        difficulty: float = 1.0,
        heldout: bool = False,
        orientation_mix: float = 0.0,
        backgrounds: str | Path | None = None,
        keep_ratio: bool = False,
    ) -> None:
        if profile not in PROFILES:
            raise DataError(f"profile: {profile!r} is none of {', '.join(PROFILES)}")
        for name, value in (("difficulty", difficulty), ("orientation_mix", orientation_mix)):
            if not 0 <= value <= 1:
                raise DataError(f"{name}: {value} is not between 0 and 1")
        if seed < 0:
            raise DataError(f"seed: {seed} is below 0")
        self.profile, self.seed, self.heldout, self.orientation_mix = profile, seed, heldout, orientation_mix
        self.difficulty, self.keep_ratio = difficulty, keep_ratio
        fonts = None if fonts is None else tuple(fonts)
        self._given = (profile, seed, charset, words, fonts), (heldout, orientation_mix, backgrounds, keep_ratio)
        if profile == "embedded":
            given = {"charset": charset, "words": words, "fonts": fonts, "backgrounds": backgrounds}
            unused = [name for name, value in given.items() if value is not None]
            unused += ["difficulty"] * (difficulty != 1) + ["orientation_mix"] * (orientation_mix != 0) + ["keep_ratio"] * keep_ratio
            if unused:
                raise DataError(f"{unused[0]}: the profile embedded has its own; leave it out or take the profile real")
            self.charset = ALPHABET
            return
        self.charset = CHARACTERS_94 if charset is None else charset
        self._wording = Wording(self.charset, _own_words(words), held_out=heldout)
        needed = "".join(dict.fromkeys(CHARACTERS_94 + "".join(self.charset.split())))
        faces = all_faces(needed, None if fonts is None else tuple(map(Path, fonts)))
        held = held_out_families(faces)
        self._faces = [face for face in faces if (face.family in held) == heldout] or list(faces)
        weight = weights(self._faces)
        self._up_to = [sum(weight[: i + 1]) for i in range(len(weight))]
        self._sheets = Sheets(np.random.default_rng([VERSION, seed, heldout]), None if backgrounds is None else Path(backgrounds))
        self.set_difficulty(difficulty)

    def __reduce__(self) -> tuple[type["Generator"], tuple[object, ...]]:
        """What it was made of: another process makes its own faces and sheets."""
        before, after = self._given
        return Generator, (*before, self.difficulty, *after)

    def set_difficulty(self, difficulty: float) -> None:
        """For pictures from now on: `curriculum` says how much of it a training begins with."""
        if self.profile == "embedded" or not 0 <= difficulty <= 1:
            raise DataError(f"difficulty: {difficulty} of the profile {self.profile}; between 0 and 1, and not of embedded")
        self.difficulty = difficulty
        self._recipe = (REAL if self.profile == "real" else EASY).scaled(difficulty)

    @property
    def faces(self) -> list[str]:
        """Names of the faces in use."""
        return ["built-in"] if self.profile == "embedded" else [face.name for face in self._faces]

    @property
    def left_out(self) -> list[str]:
        """Of one's own words those that the charset cannot write, or that are too long."""
        return [] if self.profile == "embedded" else self._wording.left_out

    def draw(self, index: int) -> Drawn:
        if index < 0:
            raise IndexError(f"picture {index}: the first one is 0")
        rng = self._rng(index)
        if self.profile == "embedded":
            noise = np.random.Generator(np.random.SFC64(rng.getrandbits(64)))
            return Drawn(*draw_embedded(rng, noise, self.heldout))
        written = self._write(rng)
        boxes = letter_boxes(written.where, [written.line.edges[i] for i in written.said.kept], written.line.mask.shape[1])
        return Drawn(self._paint(rng, written), written.said.label, boxes)

    def written(self, index: int) -> Written:
        """The word of `draw(index)`, set and placed."""
        return self._write(self._rng(index))

    def _rng(self, index: int) -> random.Random:
        return random.Random((((VERSION << 64 | self.seed) << 1 | self.heldout) << 64) | index)

    def _write(self, rng: random.Random) -> Written:
        said = self._wording.draw(rng)
        face = self._face(rng)
        line = set_line(rng, self._recipe, face, said.text)
        high, wide = line.mask.shape
        where = place(rng, self._recipe, wide / high, self._sheets.normals, self.orientation_mix, self.keep_ratio)
        return Written(said, face, line, where, placed_ink(line.mask, where))

    def _face(self, rng: random.Random) -> Face:
        return rng.choices(self._faces, cum_weights=self._up_to)[0]

    def _paint(self, rng: random.Random, written: Written) -> np.ndarray:
        recipe, letters = self._recipe, len(written.said.text)
        for left in reversed(range(TRIES)):
            if not left:
                recipe = PLAIN
            other = None
            if rng.random() < recipe.share_neighbour:
                other = set_line(rng, recipe, written.face, self._wording.draw(rng).text).mask
            planes = compose(rng, recipe, self._sheets, written.ink, other, letters)
            shot = photographed(rng, recipe, self._sheets, planes)
            if not left or contrast(shot, written.ink) >= LEAST_CONTRAST:
                return compressed(rng, recipe, shot)
        raise AssertionError("the last try is kept")


PLAIN = Recipe(contrast=(130.0, 200.0)).scaled(0.0)


def _own_words(words: Sequence[str] | str | Path | None) -> list[str] | None:
    if words is None:
        return None
    if not isinstance(words, str | Path):
        return list(words)
    path = Path(words)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"words: {path}: {getattr(error, 'strerror', None) or error}; give a UTF-8 file with one word a line") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise DataError(f"words: {path} is empty; one word a line")
    return found
