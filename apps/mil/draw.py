"""Pictures of one slide's answer: maps of its tiles' scores beside the slide, and the tiles that count most. PNG bytes."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from apps.base.draw import png, sheet, style
from apps.mil.maps.heat import MAP, Score, coloured, percentile
from apps.mil.notice import NOTICE

__all__ = ["map_figure", "round_length", "top_sheet"]

ALPHA = 0.6
SIDE = 5.2  # inches along a panel's longer side


def map_figure(rgb: np.ndarray | None, layers: Sequence[tuple[Score, np.ndarray]], title: str, um: float | None = None) -> bytes:
    """`layers`: scores and their heat (H,W), see maps.heat. `rgb` (H,W,3), as large, may be missing: the map stands alone.
    `um`: per pixel of it, for a ruler."""
    high, wide = layers[0][1].shape
    panels = len(layers) + (rgb is not None)
    across = SIDE if wide >= high else max(2.2, SIDE * wide / high)
    down = SIDE * high / wide if wide >= high else SIDE
    with style() as Figure:
        lying = wide > 1.4 * high  # broad slides are stacked
        rows, columns = (panels, 1) if lying else (1, panels)
        figure = Figure(figsize=((across + 1.2) * columns, (max(1.6, down) + 0.6) * rows + 0.6))
        axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axis in axes:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
            axis.spines[:].set_visible(False)
        if rgb is not None:
            first = axes.pop(0)
            first.imshow(rgb)
            first.set_title("slide")
            if um is not None:
                _ruler(first, wide, high, um)
        for axis, (score, heat) in zip(axes, layers, strict=True):
            if rgb is not None:  # grey: the colours then mean scores and nothing else
                axis.imshow(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
            axis.imshow(coloured(heat, score.limits), alpha=1.0 if rgb is None else ALPHA, interpolation="nearest")
            axis.set_xlim(-0.5, wide - 0.5)
            axis.set_ylim(high - 0.5, -0.5)
            axis.set_title(score.words, size=10, wrap=True)
            bar = figure.colorbar(_mappable(*score.limits), ax=axis, shrink=0.75, pad=0.02)
            bar.set_label(score.unit)
        figure.suptitle(title)
        figure.supxlabel(NOTICE, size=8)
        return png(figure)


def _ruler(axis: Any, wide: int, high: int, um: float) -> None:
    """A line of a round length, up to a fifth of the picture, in the lower right corner."""
    length = round_length(wide * um / 5)
    words = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    end, y = 0.97 * wide, 0.97 * high
    axis.plot([end - length / um, end], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    axis.text(end - length / um / 2, y - 0.012 * high, words, ha="center", va="bottom", size=9)


def round_length(most: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5, 2, 1) if step * power <= most)


def _mappable(low: float, high: float):
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), MAP)


def top_sheet(tiles: Sequence[np.ndarray], order: Sequence[int], scores: Sequence[Score], title: str) -> bytes:
    """The tiles numbered `order`, each with its scores."""
    ranks = {score.name: percentile(score.values) for score in scores if score.scale == "percentile"}

    def words(number: int) -> str:
        lines = [
            f"{score.name} {ranks[score.name][number]:.0f} %ile" if score.name in ranks else f"{score.name} {score.values[number]:.3g}"
            for score in scores
        ]
        return "\n".join(lines)

    captions = [f"{place}. {words(number)}" for place, number in enumerate(order, 1)]
    return sheet(tiles, captions, columns=6, title=f"{title}\n{NOTICE}")
