"""Words that were read wrongly, the surest mistakes first: what to look at before anything else."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style
from apps.otsnet.draw_slots import shown

__all__ = ["WORST", "worst_figure", "worst_rows"]

WORST = 32
COLUMNS = 4
Row = dict[str, Any]  # number, truth, read, confidence, and maybe set


def worst_rows(rows: Sequence[Row], most: int = WORST) -> list[Row]:
    """Wrong ones, the surest first."""
    wrong = [row for row in rows if row["read"] != row["truth"]]
    return sorted(wrong, key=lambda row: (-row["confidence"], row["number"]))[:most]


def worst_figure(rows: Sequence[Row], picture: Callable[[int], np.ndarray]) -> bytes | None:
    """A sheet; `picture` gives that of a number, uint8 (H,W,3). None where nothing is wrong."""
    worst = worst_rows(rows)
    if not worst:
        return None
    wrong = sum(row["read"] != row["truth"] for row in rows)
    lines = -(-len(worst) // COLUMNS)
    with style() as Figure:
        figure = Figure(figsize=(2.7 * COLUMNS, 0.5 + 1.15 * lines))
        axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
        for axis, row in zip(axes, worst, strict=False):
            image = picture(row["number"])
            axis.set_axis_off()
            axis.imshow(image, interpolation="nearest" if max(image.shape[:2]) < 256 else None)
            axis.set_title(f"{shown(row['read'])}  {row['confidence']:.0%}", size=9, color=COLOURS[1], pad=2)
            axis.text(0.5, -0.06, f"is {shown(row['truth'])}", transform=axis.transAxes, ha="center", va="top", size=8, color=GREY)
        for axis in axes[len(worst) :]:
            axis.remove()
        which = f"the surest {len(worst)} of them" if len(worst) < wrong else "the surest first"
        figure.suptitle(f"{wrong} of {len(rows)} words are wrong; {which}")
        return png(figure)
