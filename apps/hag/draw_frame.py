"""A frame with its box, a ruler of the answered millimetres and the colour of the class; and those that were most wrong, as a sheet."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from apps.base.draw import sheet
from apps.hag.draw_sizes import CLASS_COLOURS
from datamodules.hag.classes import SIZE_CLASSES, size_class

__all__ = ["Drawn", "framed", "worst_sheet"]

LONG, LINE = 640, 22  # pixels
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE, DARK = (255, 255, 255), (30, 30, 30)
BARE = "#9a9a9a"  # of a frame without an answer


class Drawn(NamedTuple):
    """What is said of a frame. box: pixels of the frame, None: the whole of it was used."""

    mm: float | None
    low: float | None = None
    high: float | None = None
    box: Sequence[float] | None = None
    true: float | None = None
    words: str = ""  # below, instead of the size: why there is none


def framed(image: np.ndarray, drawn: Drawn, long: int = LONG) -> np.ndarray:
    """uint8 (H,W,3) RGB in and out; below the picture a line of words.

    The ruler lies along the longer side of the box, which the answered millimetres are taken for; a tick each millimetre.
    """
    scale = long / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    colour = _rgb(BARE if drawn.mm is None else CLASS_COLOURS[int(size_class(drawn.mm))])
    if drawn.box is not None:
        x0, y0, x1, y1 = (round(float(value) * scale) for value in drawn.box)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), DARK, 4)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, 2)
        if drawn.mm is not None:
            _ruler(canvas, (x0, y0, x1, y1), drawn.mm, colour)
    strip = np.full((LINE + 10, canvas.shape[1], 3), 255, np.uint8)
    cv2.rectangle(strip, (8, 8), (8 + LINE - 8, LINE), colour, -1)
    cv2.putText(strip, _words(drawn), (LINE + 12, LINE - 1), FONT, 0.52, DARK, 1, cv2.LINE_AA)
    return np.concatenate([canvas, strip])


def _ruler(canvas: np.ndarray, box: tuple[int, int, int, int], mm: float, colour: tuple[int, int, int]) -> None:
    """Along the longer side, outside of the box where there is room."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = box
    across = x1 - x0 >= y1 - y0
    (start, stop), (near, far), room = ((x0, x1), (y0, y1), height) if across else ((y0, y1), (x0, x1), width)
    length = stop - start
    if length < 4:
        return
    beside = far + 16 if far + 24 < room else near - 10 if near > 24 else far - 14
    marks = [(round(start + length * tick / mm), 7 if tick % 5 == 0 else 4) for tick in range(int(mm + 1e-6) + 1)]
    if length / mm < 3:  # too near one another to be told apart
        marks = [(start, 7)]
    for thick, paint in ((5, DARK), (2, colour)):
        _line(canvas, across, (start, beside), (stop, beside), paint, thick)
        for at, tall in [*marks, (stop, 7)]:
            _line(canvas, across, (at, beside - tall), (at, beside + (tall if tall > 4 else 0)), paint, max(1, thick - 2))


def _line(canvas: np.ndarray, across: bool, a: tuple[int, int], b: tuple[int, int], paint: tuple[int, int, int], thick: int) -> None:
    cv2.line(canvas, a if across else a[::-1], b if across else b[::-1], paint, thick)


def _words(drawn: Drawn) -> str:
    if drawn.mm is None:
        return drawn.words or "no size"
    kind = SIZE_CLASSES[int(size_class(drawn.mm))]
    between = f" ({drawn.low:.1f} to {drawn.high:.1f})" if drawn.low is not None and drawn.high is not None else ""
    truth = f", truly {drawn.true:.3g} mm" if drawn.true is not None else ""
    where = "" if drawn.box is not None else ", whole frame"
    return f"{drawn.mm:.1f} mm{between}, {kind}{truth}{where}"


def worst_sheet(images: Sequence[np.ndarray], drawn: Sequence[Drawn], names: Sequence[str] | None = None, title: str = "") -> bytes:
    """PNG of frames with what was answered and what would have been right."""
    captions = []
    for i, each in enumerate(drawn):
        name = f"{names[i]}\n" if names is not None else ""
        answer = "no answer" if each.mm is None else f"{each.mm:.1f} mm"
        captions.append(f"{name}{answer}" + (f", truly {each.true:.3g}" if each.true is not None else ""))
    pictures = [framed(image, each, long=320)[: -(LINE + 10)] for image, each in zip(images, drawn, strict=True)]
    return sheet(pictures, captions, columns=5, title=title)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
