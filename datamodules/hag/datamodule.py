"""Frames of polyps as batches: the embedded colonoscopies, and frames on disk in any known layout."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.base import MADE, NOT_STATED
from datamodules.errors import DataError
from datamodules.hag import synth
from datamodules.hag.areas import AREA_CLASSES
from datamodules.hag.dataset import Facts, MadeFrames
from datamodules.hag.framing import PAPER_MEAN, PAPER_STD
from datamodules.hag.layouts import LayoutName, read
from datamodules.hag.on_disk import Depth, OnDisk
from datamodules.hag.opened import opened
from datamodules.hag.polyp_data import PolypData, View
from datamodules.hag.protocols import Protocol, hold_gates, limited
from datamodules.hag.scenes import FOCAL
from datamodules.hag.synth_planes import DEPTHS, PLANE_NAMES
from datamodules.hag.table import PolypTable, names_of
from datamodules.hag.targets import Target, boxes_of, facts_of, refuse_untaught
from datamodules.hag.zoom import AreaZoom
from datamodules.store import fingerprint

__all__ = ["Polyps", "SynthPolyps"]


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
        shift: float = 0.0,
        flip: float = 0.5,
        topple: bool = True,
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
            size,
            view,
            planes or [],
            growth,
            batch_size,
            frames_per_polyp,
            gates,
            workers,
            seed,
            turn,
            shift,
            flip,
            topple,
            jitter,
            blur,
            noise,
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

    def sight(self) -> dict[str, Any]:
        return {"depth": self.depth} if "depth" in self.framing.given else {}

    def learned(self) -> dict[str, Any]:
        return {"made": {**self.sizes, **self.knobs, "frames": self.each, "pictures_seed": self.pictures_seed}}

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


class Polyps(PolypData):
    """Frames on disk: see datamodules.hag.layouts for what can be read.

    Args:
        path: Folder or list, in any layout that `discern data check` recognises.
        layout: How the frames lie there; auto recognises it.
        roots: Folders of REAL_COLON_PATH and SUN_DATA_PATH, for lists whose paths begin with these names.
        target: What is learned: the size in mm; the tercile of the area that a mask fills; or the label of a classification set.
        protocol: Who is tested: by patient, centre or polyp, given by the source, or as in the paper's lists; auto is given or by patient.
        fold: Which fold or centre is the test, from 0.
        limit: Training frames, as many of every class; null takes all. For learning curves.
        blank: Make everything outside the field of view black: dates, menus, the picture of the scope's position.
        depth_files: Folder with a file of inverse depth for every frame, for the plane depth.
        depth: What of it counts: metric takes the numbers as they are, relative brings each frame to 0..1.
        depth_scale: What metric depth is multiplied by.
        zoom: Largest factor by which a training frame is enlarged or shrunk where the area is learned, whose class follows; 1 leaves all
            as large as they are.
        skip_broken: Leave out what is broken, with a count, instead of refusing the whole set.
        licence: A note for the data card and for exported files.
    """

    preload = ("datamodules.hag.dataset", "datamodules.hag.on_disk")
    brought = ("depth",)

    def __init__(
        self,
        path: str,
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
        shift: float = 0.0,
        flip: float = 0.5,
        topple: bool = True,
        jitter: float = 0.15,
        blur: float = 0.0,
        noise: float = 0.01,
        layout: LayoutName = "auto",
        roots: dict[str, str] | None = None,
        target: Target = "size",
        protocol: Protocol = "auto",
        fold: int | None = None,
        limit: int | None = None,
        blank: bool = False,
        depth_files: str | None = None,
        depth: Literal["metric", "relative"] = "metric",
        depth_scale: float = 1.0,
        zoom: float = 1.0,
        mean: tuple[float, float, float] = PAPER_MEAN,
        std: tuple[float, float, float] = PAPER_STD,
        skip_broken: bool = False,
        licence: str = NOT_STATED,
    ):
        super().__init__(
            size,
            view,
            planes or [],
            growth,
            batch_size,
            frames_per_polyp,
            gates,
            workers,
            seed,
            turn,
            shift,
            flip,
            topple,
            jitter,
            blur,
            noise,
            mean,
            std,
        )
        named = "depth" in self.framing.planes
        if named != (depth_files is not None):
            raise DataError("the plane 'depth' and depth_files belong together; give both or neither")
        if (not named and (depth != "metric" or depth_scale != 1.0)) or (depth == "relative" and depth_scale != 1.0):
            raise DataError(f"depth={depth}, depth_scale={depth_scale:g} would change nothing; leave them out")
        if not 1 <= zoom <= 4:
            raise DataError(f"zoom {zoom:g} must lie in 1..4: 1.5 enlarges or shrinks training frames by up to one and a half")
        if zoom > 1 and (target != "area" or view != "frame"):
            why = "a crop is cut by its box" if target == "area" else "of nothing else is it known what a zoom makes of it"
            raise DataError(f"zoom={zoom:g} is of target=area with view=frame: {why}; leave it out")
        self.zoom = zoom
        self.path, self.roots, self.fold = path, roots, fold
        self.target: Target = target
        self.protocol: Protocol = protocol
        self.layout: LayoutName = layout
        self.limit, self.blank, self.skip_broken, self.licence = limit, blank, skip_broken, licence
        self.depth = None if depth_files is None else Depth(depth_files, depth, depth_scale)
        self.skipped: Sequence[str] = ()
        self.classification = target != "size"

    @cached_property
    def table(self) -> PolypTable:
        """Every usable frame. Reading it refuses, or with `skip_broken` leaves out, what is broken; of very many when they are needed."""
        table = read(self.path, self.layout, self.protocol, self.fold, self.target == "area", self.roots)
        table, self.skipped = opened(table, self.path, self.skip_broken, self.say)
        refuse_untaught(table, self.target)
        self._named = names_of(table.records)  # before any is left out
        table = limited(table, self.limit) if self.limit is not None else table
        return hold_gates(table, self.gates, self.protocol != "polyp") if self.gates else table

    @property
    def classes(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return {"size": super().classes, "area": list(AREA_CLASSES), "label": self.table.classes}[self.target]

    @property
    def polyps(self) -> list[str]:
        return self.table.polyps

    def sight(self) -> dict[str, Any]:
        return {"blank": self.blank, **({} if self.depth is None else {"depth": self.depth.kind, "depth_scale": self.depth.scale})}

    def learned(self) -> dict[str, Any]:
        table = self.table
        held = {split: names_of(table.of(split)) for split in ("val", "test")}
        return {"set": self._named, "protocol": self.protocol, "fold": self.fold, "held": held}

    def frames(self, split: str) -> OnDisk:
        return OnDisk(self.table.store, self.table.of(split), self.blank, self.depth)

    def facts(self, split: str) -> Facts:
        return facts_of(self.table, self.table.rows(split), self.target)

    def zooming(self, split: str) -> AreaZoom | None:
        return AreaZoom(self.zoom, np.array([record.area for record in self.table.of(split)])) if self.zoom > 1 else None

    def groups(self, split: str) -> np.ndarray:
        return np.unique([record.group or record.polyp for record in self.table.of(split)], return_inverse=True)[1]

    def boxes(self, split: str) -> np.ndarray:
        return boxes_of(self.table, self.table.rows(split))

    def picture(self, row: int) -> np.ndarray:
        """The frame of this number (a batch's `id`), uint8 (H,W,3)."""
        return OnDisk(self.table.store, self.table.records, self.blank).image(row)

    def describe(self, hash_content: bool = False) -> dict[str, Any]:
        table = self.table
        return {
            "name": Path(self.path).resolve().name,
            "source": str(self.path),
            "layout": table.layout,
            "target": self.target,
            "protocol": self.protocol,
            "counts": self.counts(),
            "skipped": len(self.skipped),
            "notes": table.notes,
            "fingerprint": fingerprint(table.store, [record.file for record in table.records], hash_content=hash_content),
        }
