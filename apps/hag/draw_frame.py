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

    The ruler is as long as the longer side of the box, which is what the answered millimetres are taken for; a tick each millimetre.
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
    x0, y0, x1, y1 = box
    length = max(x1 - x0, y1 - y0)
    if length < 4:
        return
    left = int(np.clip(x0, 0, max(0, canvas.shape[1] - length - 1)))
    y = y1 + 16 if y1 + 22 < canvas.shape[0] else y0 - 10 if y0 > 22 else canvas.shape[0] - 14
    marks = [(round(left + length * tick / mm), 7 if tick % 5 == 0 else 4) for tick in range(int(mm + 1e-6) + 1)]
    marks = marks if length / mm >= 3 else [(left, 7)]
    for thick, paint in ((5, DARK), (2, colour)):
        cv2.line(canvas, (left, y), (left + length, y), paint, thick)
        for x, tall in [*marks, (left + length, 7)]:
            cv2.line(canvas, (x, y - tall), (x, y + tall if tall > 4 else y), paint, max(1, thick - 2))


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
