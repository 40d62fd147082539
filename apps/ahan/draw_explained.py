"""Two faces, and where they are alike and where not: regions, asymmetry, what covering a part does."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.ahan.explaining import Explained
from apps.base.draw import COLOURS, GREY, png, style

__all__ = ["explained_figure"]

SIDE = 3.1  # inches of a panel
FALLS, RISES = COLOURS[0], COLOURS[1]
LEAST = 0.001  # a change of score below this is drawn as none: of a face beside itself only the last bits are left


def explained_figure(
    faces: Sequence[np.ndarray], boxes_2R4: np.ndarray, found: Explained, captions: Sequence[str], words: Sequence[str]
) -> bytes:
    """A row a face. Blue: without the region the score falls. Orange: it rises, as it mostly does, because a region that is left out is
    the same in both faces: regions are to be compared with each other.
    """
    kinds = ["regions", *(["asymmetry"] if found.asymmetry else []), *(["covered"] if found.covered else [])]
    bars = found.alike is not None
    columns = len(kinds) + bars
    with style() as Figure:
        figure = Figure(figsize=(SIDE * columns + 0.8, 2 * SIDE + 0.35 * (len(words) + 1)))
        grid = figure.add_gridspec(2, columns)
        for row in (0, 1):
            for column, kind in enumerate(kinds):
                axis = figure.add_subplot(grid[row, column])
                axis.set_axis_off()
                axis.set_title(captions[row] if kind == "regions" else TITLES[kind] if row == 0 else "", size=9)
                if kind == "regions":
                    _regions(axis, faces[row], boxes_2R4[row], found)
                else:
                    heat = _asymmetry(axis, faces[row], found, row) if kind == "asymmetry" else _covered(axis, faces[row], found, row)
                    figure.colorbar(heat, ax=axis, shrink=0.75, format="%.2g")
        if bars:
            _bars([figure.add_subplot(grid[row, -1]) for row in (0, 1)], found)
        figure.suptitle("\n".join(words), size=10)
        return png(figure)


TITLES = {"asymmetry": "how much the halves differ", "covered": "change of score when covered"}


def _face(axis: Any, face: np.ndarray, grey: bool = False) -> None:
    shown = np.repeat(face.mean(2, keepdims=True), 3, 2).astype(np.uint8) if grey else face
    axis.imshow(shown, extent=(0, 1, 1, 0), interpolation="nearest")


def _regions(axis: Any, face: np.ndarray, boxes_R4: np.ndarray, found: Explained) -> None:
    """Each box in the colour of what leaving its region out does to the score, the stronger the thicker."""
    from matplotlib.patches import Rectangle

    _face(axis, face)
    if found.without is None:
        return
    most = max(*map(abs, found.without.values()), LEAST)
    for (x0, y0, x1, y1), (name, change) in zip(boxes_R4.tolist(), found.without.items(), strict=True):
        colour, width = FALLS if change < 0 else RISES, 1.0 + 3.0 * abs(change) / most
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=width + 1.4))
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, edgecolor="none", alpha=0.18 * abs(change) / most))
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=width))
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
        low = (y0 + y1) / 2 > 0.7  # the mouth's box lies in the jaw's: words of both at their lower ends are apart
        axis.text(
            x0 + 0.01,
            y1 - 0.012 if low else y0 + 0.012,
            f"{name} {change:+.3f}",
            size=7,
            va="bottom" if low else "top",
            color=colour,
            bbox=box,
        )


def _asymmetry(axis: Any, face: np.ndarray, found: Explained, row: int) -> Any:
    """On one scale for both faces, to be compared."""
    assert found.asymmetry is not None
    _face(axis, face, grey=True)
    low, high = (float(end(part.ravel())) for end, part in ((np.min, np.stack(found.asymmetry)), (np.max, np.stack(found.asymmetry))))
    return axis.imshow(found.asymmetry[row], extent=(0, 1, 1, 0), cmap="viridis", alpha=0.55, vmin=low, vmax=max(high, low + 1e-9))


def _covered(axis: Any, face: np.ndarray, found: Explained, row: int) -> Any:
    assert found.covered is not None
    _face(axis, face, grey=True)
    most = max(float(np.abs(np.stack(found.covered)).max()), 1e-9)
    return axis.imshow(found.covered[row], extent=(0, 1, 1, 0), cmap="PuOr", alpha=0.6, vmin=-most, vmax=most)


def _bars(axes: Sequence[Any], found: Explained) -> None:
    assert found.alike is not None
    names = list(found.alike)
    above, below = axes
    above.bar_label(above.barh(names, list(found.alike.values()), color=GREY), fmt="%.3f", label_type="center", color="white", size=8)
    above.set_title("cosine of each region's own vectors", size=9)
    above.set_xlim(min(0.0, *found.alike.values()) - 0.05, 1)
    for axis in axes:
        axis.invert_yaxis()
        axis.axvline(0, color="black", linewidth=0.8)
    if found.without is None:
        below.remove()
        return
    changes = [found.without[name] for name in names]
    below.barh(names, changes, color=[FALLS if change < 0 else RISES for change in changes])
    below.set_title("change of score without the region", size=9)
    low, high = min(*changes, -LEAST), max(*changes, LEAST)
    below.set_xlim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    below.locator_params(axis="x", nbins=4)
    below.set_xlabel("blue: the score falls without it, orange: it rises", size=8)
