"""A video file as frames with their numbers and seconds, by OpenCV; what is broken is one line."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from datamodules.errors import DataError
from datamodules.pictures import MAX_PIXELS

__all__ = ["SUFFIXES", "Clip", "Still", "is_clip"]

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")
FASTEST = 1000.0  # frames a second; what states more states nonsense
# Local files only: a playlist inside a file would otherwise fetch what it names. Silent: a broken file is told by our own line.
SETTINGS = {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "protocol_whitelist;file", "OPENCV_FFMPEG_LOGLEVEL": "-8"}


class Still(NamedTuple):
    number: int  # from 0
    seconds: float | None
    image: np.ndarray  # uint8 (H,W,3) RGB


def is_clip(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix.lower() in SUFFIXES


class Clip:
    """Iterate over the frames, every so many. `remarks`: what was odd, known when the last frame was taken; `cut`: whether frames lack."""

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path, self.every = Path(path), every
        self.remarks: list[str] = []
        self.cut = False
        try:
            if not self.path.stat().st_size:
                raise DataError(f"{path}: empty file; copy the video again")
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        with _settings():
            self._capture = cv2.VideoCapture(str(self.path.absolute()), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise DataError(
                f"{path}: no video that OpenCV can read (damaged, or an unknown codec); convert it, for example to H.264 in .mp4"
            )
        wide, high = (self._capture.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if wide * high > MAX_PIXELS:
            raise DataError(f"{path}: {wide:g} x {high:g} pixels are more than the limit of {MAX_PIXELS:,}; shrink it first")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= FASTEST else None
        if self.rate is None:
            self.remarks.append(f"{path}: states {rate:g} frames a second; frames are told by number alone")
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.stated = int(stated) if math.isfinite(stated) and stated > 0 else None

    def __iter__(self) -> Iterator[Still]:
        number = 0
        try:
            while self._capture.grab():
                if number % self.every == 0:
                    found, image = self._capture.retrieve()
                    if not found or image is None:
                        break
                    seconds = None if self.rate is None else number / self.rate
                    yield Still(number, seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                number += 1
        finally:
            self._capture.release()
        if not number:
            raise DataError(f"{self.path}: a video without a single frame that can be decoded; copy or convert it again")
        if self.stated is not None and number < 0.98 * self.stated - 2:  # containers may miscount by a few
            self.cut = True
            self.remarks.append(f"{self.path}: breaks off after {number} of the {self.stated} frames that it states; copy it again")


@contextmanager
def _settings() -> Iterator[None]:
    """OpenCV takes these from the environment alone, when it opens a file."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
