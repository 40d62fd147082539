"""Frames of polyps as batches: the embedded colonoscopies, and frames on disk in any known layout."""

from functools import cached_property
from typing import Any, Literal

import numpy as np

from datamodules.base import MADE
from datamodules.errors import DataError
from datamodules.hag import synth
from datamodules.hag.dataset import Facts, MadeFrames
from datamodules.hag.polyp_data import PolypData, View
from datamodules.hag.scenes import FOCAL
from datamodules.hag.synth_planes import DEPTHS, PLANE_NAMES

__all__ = ["SynthPolyps"]


class SynthPolyps(PolypData):
    """The embedded colonoscopies: polyps of known mm, seen from known distances.

    Args:
        train: Polyps to train on, those for the gates included.
        val: Polyps to validate on.
        test: Polyps to test on.
        frames: Of each polyp.
        cue: What in the picture tells the distance: texture, forceps, both or none.
        depth: The plane of that name: metric tells the distance within a tenth, relative only what is nearer.
        label_noise: Spread of a reading by eye, in its logarithm, which is then rounded as people do; 0 reads the truth.
        pictures_seed: Which polyps are made.
        cache: Folder in which made pictures are kept; null makes them anew, about 4 ms each.
    """

    licence = MADE
    brought = PLANE_NAMES

    def __init__(
        self,
        size: int = 96,
        view: View = "frame",
        planes: list[str] | None = None,
        growth: float = 0.5,
        batch_size: int = 32,
        frames_per_polyp: int = 0,
        gates: float = 0.0,
        workers: int = 0,
        seed: int = 0,
        turn: float = 30.0,
        flip: float = 0.5,
        jitter: float = 0.15,
        blur: float = 0.0,
        noise: float = 0.01,
        train: int = 168,
        val: int = 36,
        test: int = 36,
        frames: int = 8,
        cue: Literal["none", "texture", "forceps", "both"] = "both",
        depth: Literal["metric", "relative"] = "metric",
        label_noise: float = 0.0,
        pictures_seed: int = 0,
        cache: str | None = None,
    ):
        super().__init__(
            size, view, planes or [], growth, batch_size, frames_per_polyp, gates, workers, seed, turn, flip, jitter, blur, noise
        )
        if depth not in DEPTHS:
            raise DataError(f"depth {depth!r} is not one of {', '.join(DEPTHS)}")
        if depth != "metric" and "depth" not in self.framing.planes:
            raise DataError(f"depth={depth} is of the plane 'depth', which is not among the planes; name it there")
        if min(train, val, test) < 1:
            raise DataError(f"{train}, {val} and {test} polyps: give each split one or more")
        self.sizes = {"train": train, "val": val, "test": test}
        self.each, self.depth = frames, depth
        self.knobs = {"cue": cue, "label_noise": label_noise}
        self.pictures_seed, self.cache = pictures_seed, cache
        if gates and not 0 < round(gates * train) < train:
            raise DataError(f"gates {gates:g} of {train} training polyps leaves one of the two splits empty; change one of the numbers")

    @cached_property
    def made(self) -> synth.PolypSet:
        """All splits together, polyps in the order of the splits."""
        polyps = sum(self.sizes.values())
        return synth.synth_polyps(polyps, self.each, self.size, self.pictures_seed, **self.knobs, cache=self.cache)

    def rows(self, split: str) -> np.ndarray:
        """Of the made frames. The gates' polyps are the last ones of the training polyps."""
        train, val, test = self.sizes.values()
        held = round(self.gates * train)
        bounds = {
            "train": (0, train - held),
            "gates": (train - held, train),
            "val": (train, train + val),
            "test": (train + val, train + val + test),
        }
        first, last = bounds[split]
        return np.arange(first * self.each, last * self.each)

    @property
    def polyps(self) -> list[str]:
        return [f"polyp-{number}" for number in range(sum(self.sizes.values()))]

    def frames(self, split: str) -> MadeFrames:
        return MadeFrames(self.made.images, self.made.scenes, self.rows(split), self.pictures_seed, self.depth)

    def facts(self, split: str) -> Facts:
        rows, scenes = self.rows(split), self.made.scenes
        count = len(rows)
        yes, no = np.ones(count, bool), np.zeros(count, bool)
        return Facts(scenes.read_mm[rows], yes, no, np.full(count, -1, np.int64), scenes.polyp[rows], rows)

    def boxes(self, split: str) -> np.ndarray:
        return self.made.scenes.box[self.rows(split)] / self.size

    def truth(self, split: str) -> np.ndarray:
        """float32 (n,): the oracle's mm, from apparent diameter and distance."""
        scenes, rows = self.made.scenes, self.rows(split)
        return scenes.apparent[rows] * scenes.distance_mm[rows] / (FOCAL * self.size)

    def picture(self, row: int) -> np.ndarray:
        """The frame of this number (a batch's `id`), uint8 (size,size,3)."""
        return self.made.images[row]

    def stated(self) -> dict[str, Any]:
        own = {"frames": self.each, "size": self.size, "pictures_seed": self.pictures_seed, "version": synth.VERSION}
        return {**self.sizes, **own, **self.knobs, "depth": self.depth}

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        return {
            "name": "made colonoscopies",
            "source": "made by datamodules.hag.synth",
            "parameters": self.stated(),
            "counts": self.counts(),
            "fingerprint": synth.hash_polyps(self.made),
        }
