"""Faces as batches: photographs in any known layout, and the embedded twins.

A batch holds `images` (normalised to -1..1) and as int64 `person` (of training: 0.. without holes), `family`, `visit` (-1: not known) and
`id` (row of the table; names and paths stay there); after `bring_boxes` also `boxes` of the regions. `pairs(split)` are what an
evaluation asks.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.ahan import synth
from datamodules.ahan.dataset import Images, Made, OnDisk
from datamodules.ahan.face_data import FaceData, Hflip
from datamodules.ahan.layouts import LayoutName, read
from datamodules.ahan.pairs import Pairs
from datamodules.ahan.table import FaceTable
from datamodules.base import MADE, NOT_STATED
from datamodules.cache import cached
from datamodules.errors import DataError
from datamodules.store import fingerprint
from datamodules.usable import left_out, usable

__all__ = ["Faces", "TwinFaces"]


class TwinFaces(FaceData):
    """The embedded twins: families of two, who share genes and differ by marks and asymmetry.

    Args:
        train: Families to train on.
        val: Families to validate on.
        test: Families to test on.
        each: Images of a person, half of them of either visit.
        size: Of an image, in pixels.
        marks: The most moles that a person has; 0 none.
        mark_size: The largest radius of one, as a share of the frame.
        mark_contrast: The greatest darkness of one.
        asym: How much left and right differ.
        lines: Fine strokes of a person.
        mirror: Share of families whose second twin is the first one mirrored.
        kinship: Correlation of the two's genes: 1 identical, 0.7 fraternal, 0 strangers.
        pose: Degrees that a head is turned at most.
        light: How much direction, strength and colour of the light change.
        expression: How much mouth and brows move.
        session: How much hair, background and tint change from visit to visit.
        aligned: Pixels of shift, and twice as many degrees, that the alignment leaves at most.
        blur: Pixels at most.
        noise: Largest standard deviation of a sensor's noise.
        occlude: Share of images with something before the face.
        faces_seed: Which faces are made.
        cache: Folder in which made faces are kept; null makes them anew, about 1.5 ms each.
    """

    licence = MADE
    photographs = False

    def __init__(
        self,
        groups: int = 8,
        images: int = 4,
        twin_ratio: float = 3.0,
        workers: int = 0,
        seed: int = 0,
        hflip: Hflip = "auto",
        jitter: float = 0.2,
        turn: float = 4.0,
        shift: float = 0.02,
        train: int = 150,
        val: int = 20,
        test: int = 30,
        each: int = 6,
        size: int = 64,
        marks: int = 6,
        mark_size: float = 0.03,
        mark_contrast: float = 0.6,
        asym: float = 1.0,
        lines: int = 0,
        mirror: float = 0.0,
        kinship: float = 1.0,
        pose: float = 15.0,
        light: float = 1.0,
        expression: float = 1.0,
        session: float = 1.0,
        aligned: float = 1.0,
        blur: float = 1.0,
        noise: float = 0.03,
        occlude: float = 0.1,
        faces_seed: int = 0,
        cache: str | None = None,
    ):
        super().__init__(size, groups, images, twin_ratio, workers, seed, hflip, jitter, turn, shift)
        if min(train, val, test) < 1:
            raise DataError(f"{train}, {val} and {test} families: give each split one or more")
        self.sizes = {"train": train, "val": val, "test": test}
        self.each, self.faces_seed, self.cache = each, faces_seed, cache
        self.knobs = synth.Knobs(
            marks, mark_size, mark_contrast, asym, lines, mirror, kinship, pose, light, expression, session, aligned, blur, noise, occlude
        )

    @cached_property
    def made(self) -> synth.TwinFaceSet:
        """All splits together, with the latents: families in the order of the splits."""
        families = sum(self.sizes.values())
        stated = self.stated() | {"families": families}

        def make() -> dict[str, np.ndarray]:
            return {"images": synth.twin_faces(families, self.each, self.size, self.faces_seed, self.knobs).images}

        images = cached(self.cache, "twin-faces", stated, make)["images"]
        return synth.twin_faces(families, self.each, self.size, self.faces_seed, self.knobs, images=images)

    def part(self, split: str) -> slice:
        """The images of a split."""
        names = list(self.sizes)
        before = sum(self.sizes[name] for name in names[: names.index(split)])
        return slice(before * 2 * self.each, (before + self.sizes[split]) * 2 * self.each)

    def numbers(self, split: str) -> np.ndarray:
        part, made = self.part(split), self.made
        return np.stack([made.person, made.family, made.visit, np.arange(len(made.person))], 1)[part]

    def faces(self, split: str) -> Images:
        return Made(self.made.images[self.part(split)], self.made.points[self.part(split)])

    def picture(self, row: int) -> np.ndarray:
        """The face of this number (a batch's `id`), uint8 (size,size,3)."""
        return self.made.images[row]

    def stated(self) -> dict[str, Any]:
        own = {"each": self.each, "size": self.size, "faces_seed": self.faces_seed, "version": synth.VERSION}
        return {**self.sizes, **own, **self.knobs._asdict()}

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": "twin faces",
            "source": "made by datamodules.ahan.synth",
            "parameters": self.stated(),
            "counts": self.counts(),
            "fingerprint": synth.hash_faces(self.made),
        }


class Faces(FaceData):
    """Photographs on disk: see datamodules.ahan.layouts for what can be read. Faces must be aligned, or have five points, or a crop stated.

    Args:
        path: Folder, list or pack, in any layout that `discern data check` recognises.
        layout: How the images lie there; auto recognises it.
        fold: Which fold is the test, of a set that has folds (LFW: 1 to 10); the next one is for validation.
        size: Of an aligned face, in pixels.
        skip_broken: Leave out what is broken, with a count, instead of refusing the whole set.
        licence: A note for the data card and for exported files.
    """

    def __init__(
        self,
        path: str,
        groups: int = 8,
        images: int = 4,
        twin_ratio: float = 3.0,
        workers: int = 0,
        seed: int = 0,
        layout: LayoutName = "auto",
        fold: int | None = None,
        size: int = 112,
        hflip: Hflip = "auto",
        jitter: float = 0.2,
        turn: float = 4.0,
        shift: float = 0.02,
        skip_broken: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(size, groups, images, twin_ratio, workers, seed, hflip, jitter, turn, shift)
        self.path, self.skip_broken, self.licence = path, skip_broken, licence
        self.layout: LayoutName = layout
        self.fold = fold
        self.skipped: Sequence[str] = ()

    @cached_property
    def table(self) -> FaceTable:
        """Every usable image. Reading it refuses, or with `skip_broken` leaves out, what is broken."""
        table = read(self.path, self.layout, self.fold)
        misplaced = OnDisk(table.store, table.records, self.size).misplaced()
        placed = [record for record in table.records if record.file not in misplaced]
        problems = [*table.problems, *misplaced.values()]
        kept, self.skipped = usable(self.path, table.store, placed, problems, self.skip_broken, self.say)
        notes = [*table.notes, *([left_out(self.skipped)] if self.skipped else [])]
        return replace(table, records=kept, problems=[], notes=notes)

    def numbers(self, split: str) -> np.ndarray:
        return self.table.numbers[self.table.rows(split)]

    def twins(self, split: str) -> np.ndarray:
        return self.table.twins[self.table.rows(split)]

    def faces(self, split: str) -> Images:
        return OnDisk(self.table.store, self.table.of(split), self.size)

    def named_pairs(self) -> tuple[OnDisk, Pairs]:
        """The pairs that the source's own list names, with their folds, and all images, by whose places they are given."""
        return OnDisk(self.table.store, self.table.records, self.size), self.table.named_pairs()

    def pairs(self, split: str = "test", general: int | None = None, same_visit: bool = False) -> Pairs:
        """Those that the source's own list names within the split, where it does; else drawn as of any faces."""
        named = self.table.named_pairs()
        place = np.full(len(self.table.records), -1, np.int64)
        place[self.table.rows(split)] = np.arange(len(self.table.rows(split)))
        first, second = place[named.first], place[named.second]
        within = (first >= 0) & (second >= 0)
        if not within.any():
            return super().pairs(split, general, same_visit)
        if general is not None or same_visit:
            raise DataError(f"{self.path} names its pairs; general and same_visit are of drawn ones: leave them out")
        return Pairs(first[within], second[within], *(column[within] for column in named[2:]))

    def picture(self, row: int) -> np.ndarray:
        """The aligned face of this number (a batch's `id`), uint8 (size,size,3)."""
        return OnDisk(self.table.store, self.table.records, self.size)[row]

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        table = self.table
        return {
            "name": Path(self.path).resolve().name,
            "source": str(self.path),
            "layout": table.layout,
            "counts": self.counts(),
            "pairs": len(table.pairs),
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
        }
