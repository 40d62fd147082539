"""One style for every figure, and the two figures that all applications share. Everything returns the bytes of a PNG."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["COLOURS", "GREY", "confusion", "name_points", "png", "sheet", "style"]

# Okabe and Ito's palette, which people with any colour vision can tell apart; yellow is left out: it vanishes on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

MOST_CLASSES = 60  # of a confusion matrix: more have no readable cells
# Of a name beside its point, in points.
_BESIDE = ((5, 3, "left"), (5, -9, "left"), (-5, 3, "right"), (-5, -9, "right"), (5, 12, "left"), (-5, 12, "right"))
GREY = "#777777"  # what stands beside what is looked at

_STYLE = {
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "savefig.bbox": "tight",
}


@contextmanager
def style() -> Iterator[Any]:
    """matplotlib's Figure class under our style. No pyplot: figures are no global state, and no display is needed.

    >>> with style() as Figure:
    ...     figure = Figure(figsize=(4, 3))
    ...     figure.subplots().plot(x, y)
    ...     data = png(figure)
    """
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {**_STYLE, "axes.prop_cycle": cycler(color=COLOURS)}
    with matplotlib.rc_context(settings):
        yield Figure


def png(figure: Any, facts: Mapping[str, str] | None = None) -> bytes:
    """facts: texts that the file carries besides the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata=facts)
    return buffer.getvalue()


def name_points(axis: Any, points: Mapping[str, tuple[float, float]]) -> None:
    """Each name at the first place beside its point where it covers neither another name nor a point."""
    from matplotlib.transforms import Bbox

    axis.get_figure().draw_without_rendering()  # settles the axes, which measuring needs
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in axis.transData.transform(list(points.values()))]
    for name, point in points.items():
        tried = []
        for x, y, side in _BESIDE:
            text = axis.annotate(name, point, (x, y), textcoords="offset points", size=8, ha=side)
            box = text.get_window_extent()
            tried.append((box.count_overlaps(taken), len(tried), text, box))
        best = min(tried)
        taken.append(best[3])
        for one in tried:
            if one is not best:
                one[2].remove()


def confusion(matrix: np.ndarray, labels: Sequence[str]) -> bytes:
    """Counts, coloured by their share of the true class. More than 30 classes get no words and no numbers; of more than 60 only those are
    shown that are confused most."""
    matrix = np.asarray(matrix)
    count = len(labels)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of {count} labels is {count} x {count}, not {matrix.shape}")
    if count > MOST_CLASSES:
        wrong = matrix.sum(1) - np.diag(matrix)
        kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
        return confusion(matrix[np.ix_(kept, kept)], [labels[int(i)] for i in kept])
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    with style() as Figure:
        side = min(max(3.6, 0.42 * count + 1.6), 12)
        figure = Figure(figsize=(side + 0.8, side))
        axis = figure.subplots()
        axis.grid(False)
        image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true")
        if count <= 30:
            axis.set_xticks(
                range(count), labels, rotation=45 if max(map(len, labels)) > 2 else 0, ha="right" if max(map(len, labels)) > 2 else "center"
            )
            axis.set_yticks(range(count), labels)
            for i, j in zip(*np.nonzero(matrix), strict=True):
                axis.text(j, i, f"{matrix[i, j]:g}", ha="center", va="center", size=8, color="white" if share[i, j] > 0.55 else "black")
        return png(figure)


def sheet(images: Sequence[np.ndarray], captions: Sequence[str] | None = None, columns: int = 6, title: str = "") -> bytes:
    """A contact sheet of pictures (uint8 H, W, 3 or H, W) with a caption under each."""
    captions = captions if captions is not None else [""] * len(images)
    if not images or len(images) != len(captions):
        raise ValueError(f"{len(images)} pictures and {len(captions)} captions")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    with style() as Figure:
        figure = Figure(figsize=(1.7 * columns, (1.7 + (0.35 if any(captions) else 0)) * rows))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.axis("off")
        for axis, image, caption in zip(axes, images, captions, strict=False):
            axis.imshow(image, cmap="gray" if np.ndim(image) == 2 else None, interpolation="nearest" if max(image.shape[:2]) < 64 else None)
            axis.set_title(caption, size=8)
        if title:
            figure.suptitle(title)
        return png(figure)
