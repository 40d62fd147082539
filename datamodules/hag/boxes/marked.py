"""A box on a frame, as a file states it."""

from typing import NamedTuple

from datamodules.hag.table import Box

__all__ = ["Marked", "in_pixels"]


class Marked(NamedTuple):
    box: Box
    polyp: str = ""  # empty: the file does not say which one
    relative: bool = False  # 0..1 of the frame instead of pixels
    where: str = ""  # file:line, or file
    size: tuple[int, int] | None = None  # width, height of the frame, where the file says so


def in_pixels(marked: Marked, width: int, height: int) -> Box:
    """The box in pixels of a frame of this size, not clipped."""
    left, top, right, lower = marked.box
    return (left * width, top * height, right * width, lower * height) if marked.relative else marked.box
