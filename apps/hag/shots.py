"""The frames that words of the command line stand for: pictures, folders and videos, each with the boxes that a file has for it."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from apps.base.errors import UserError
from apps.base.predict.inputs import Inputs, looks_like_picture
from apps.hag.clip import Clip, is_clip
from apps.hag.sizer import NO_BOX, Asked
from datamodules.errors import DataError
from datamodules.hag.boxes import Boxes, in_pixels
from datamodules.hag.on_disk import Depth
from datamodules.pictures import read_picture

__all__ = ["GROUPS", "Group", "Shots"]

Group = Literal["video", "folder", "csv"]
GROUPS: tuple[Group, ...] = ("video", "folder", "csv")


@dataclass
class Shots:
    """Iterate: one Asked for each polyp on each frame; a frame without a box in the file is one with the status no_box.

    boxes: frame 12 of CLIP.mp4 is CLIP_12 there; None: none were given, the whole frame counts.
    """

    words: list[str]
    boxes: Boxes | None
    group: Group
    every: int = 1
    depth: Depth | None = None  # called as frames are
    remarks: list[str] = field(default_factory=list)  # what was odd, told at the end
    broken: int = 0  # videos that break off
    skipped: int = 0  # files of folders that are neither pictures nor videos
    clips: int = 0
    unmatched: list[str] = field(default_factory=list)
    depths: dict[Path, str] = field(default_factory=dict)  # files of depth, and whose they are

    def __iter__(self) -> Iterator[Asked]:
        inputs = Inputs(self.words, sys.stdin, pictures=False)
        named = set(self.words)  # what is asked for by name is answered for, whatever it is
        for path in inputs:
            if is_clip(path):
                yield from self._clip(path)
            elif path in named or looks_like_picture(path) or not Path(path).exists():
                yield from self._picture(path)
            else:
                self.skipped += 1
        self.unmatched = inputs.unmatched

    def _picture(self, path: str) -> Iterator[Asked]:
        group = str(Path(path).parent) if self.group == "folder" else ""
        try:
            image = read_picture(path)
        except DataError as error:
            yield Asked(path, None, polyp=group, error=str(error).removeprefix(f"{path}: "))
            return
        yield from self._asked(path, path, image, group, None, None)

    def _clip(self, path: str) -> Iterator[Asked]:
        self.clips += 1
        group = {"video": path, "folder": str(Path(path).parent), "csv": ""}[self.group]
        try:
            clip = Clip(path, self.every)
            for number, seconds, image in clip:
                yield from self._asked(path, f"{Path(path).with_suffix('')}_{number}.png", image, group, number, seconds)
        except DataError as error:
            yield Asked(path, None, error=str(error).removeprefix(f"{path}: "))
            return
        self.remarks += clip.remarks
        self.broken += clip.cut

    def _asked(self, path: str, frame: str, image: np.ndarray, group: str, number: int | None, seconds: float | None) -> Iterable[Asked]:
        who, place = path if number is None else f"frame {number} of {path}", str(Path(frame).absolute())
        marks = None
        if self.boxes is not None:
            try:
                marks = self.boxes.of(place, who)
            except DataError as error:
                raise UserError(str(error)) from None
            if not marks:
                return [Asked(path, None, None, group if self.group != "csv" else "", number, seconds, status=NO_BOX)]
            if len(marks) > 1 and self.group != "csv" and group:
                raise UserError(f"{marks[1].where}: {who} has {len(marks)} boxes, and --group {self.group} makes one polyp of them; "
                                "use --group csv with a column polyp")  # fmt: skip
        height, width = image.shape[:2]
        try:
            given = None if self.depth is None else self._depth(self.depth, place, who).read(place, height, width)[None]
        except DataError as error:
            return [Asked(path, None, None, group, number, seconds, error=str(error))]
        if marks is None:
            return [Asked(path, image, None, group, number, seconds, given=given)]
        found = []
        for mark in marks:
            polyp = mark.polyp if self.group == "csv" else group
            found.append(Asked(path, image, np.array(in_pixels(mark, width, height)), polyp, number, seconds, given=given))
        return found

    def _depth(self, depth: Depth, place: str, who: str) -> Depth:
        """The same; refused where two frames would share a file."""
        file = depth.file(place)
        if (other := self.depths.setdefault(file, who)) != who:
            raise DataError(f"{file} would be the depth of {other}, too; keep depth in folders as the frames are")
        return depth
