"""A ranking as pictures: each query with what was found for it, framed by whether it is the same one, where that is known."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.base.draw import COLOURS, png, style

__all__ = ["Ranked", "Shown", "ranking_sheet"]

RIGHT, WRONG = COLOURS[2], COLOURS[1]  # bluish green and vermilion; a broken frame and a word say the same without colour
SIDE = 160  # pixels of a thumbnail: a sheet holds many


class Shown(NamedTuple):
    picture: np.ndarray | None  # uint8 H,W,3; None: it cannot be read any more
    caption: str
    same: bool | None = None  # None: not known


class Ranked(NamedTuple):
    query: Shown
    found: list[Shown]  # best first


def ranking_sheet(rankings: Sequence[Ranked]) -> bytes:
    """A row a query."""
    columns = 1 + max(len(ranking.found) for ranking in rankings)
    with style() as Figure:
        figure = Figure(figsize=(1.55 * columns, 1.95 * len(rankings)))
        axes = figure.subplots(len(rankings), columns, squeeze=False)
        for line, ranking in zip(axes, rankings, strict=True):
            for place, (axis, shown) in enumerate(zip(line, [ranking.query, *ranking.found], strict=False)):
                _show(axis, shown, place)
            for axis in line[1 + len(ranking.found) :]:
                axis.remove()
        return png(figure)


def _show(axis: Any, shown: Shown, place: int) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    picture = np.full((SIDE, SIDE, 3), 225, np.uint8) if shown.picture is None else _small(shown.picture)
    axis.imshow(picture, interpolation="nearest" if max(picture.shape[:2]) < 100 else None)
    if shown.picture is None:
        axis.text(0.5, 0.5, "picture\nnot found", transform=axis.transAxes, ha="center", va="center", size=8)
    for spine in axis.spines.values():
        spine.set_visible(place == 0 or shown.same is not None)
        spine.set_linewidth(1.0 if place == 0 else 4.0)
        spine.set_color("black" if place == 0 else RIGHT if shown.same else WRONG)
        spine.set_capstyle("butt")  # others would fill the gaps of a broken line
        spine.set_linestyle("-" if place == 0 or shown.same else (0, (1.6, 1.0)))
    word = {True: "same: ", False: "other: ", None: ""}[shown.same]
    axis.set_title(shown.caption if place == 0 else f"{place}. {word}{shown.caption}", size=7)


def _small(picture: np.ndarray) -> np.ndarray:
    import cv2

    scale = SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
