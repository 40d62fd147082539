"""The study as a picture: what a mixer is worth over what its training step costs."""

from collections.abc import Sequence
from typing import Any

from apps.base.bench.study.trunks import NOTHING
from apps.base.bench.wins import BASE
from apps.base.draw import COLOURS, name_points, png, style

__all__ = ["chart"]

COLOUR = {"better": COLOURS[2], "worse": COLOURS[1], "level": COLOURS[0], "one seed": COLOURS[0], "": "black"}


def chart(rows: Sequence[dict[str, Any]], title: str) -> bytes:
    """Left: accuracy with its interval, the best on top, softmax's own as a line. Right: accuracy over a step's time beside softmax's."""
    ordered = list(reversed(rows))
    base = next((row["top1"] for row in rows if row["mixer"] == BASE), None)
    with style() as Figure:
        figure = Figure(figsize=(12, 0.27 * len(rows) + 2.2))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        for place, row in enumerate(ordered):
            half = 100 * (row["top1_ci95"] or 0.0)
            left.errorbar(100 * row["top1"], place, xerr=half, fmt="o", markersize=5, color=COLOUR[row["verdict"]], capsize=2)
        left.set_yticks(range(len(ordered)), [row["mixer"] for row in ordered])
        left.set_xlabel("top-1 of the test, %, with the 95 % interval over seeds")
        timed = [row for row in rows if "step" in row and row["mixer"] != NOTHING]
        for row in timed:
            right.plot(row["step"], 100 * row["top1"], "o", markersize=6, color=COLOUR[row["verdict"]])
        if base is not None:
            for axis, line in ((left, left.axvline), (right, right.axhline)):
                line(100 * base, color="grey", linestyle=":", linewidth=1)
                axis.grid(True, alpha=0.3)
        right.set_xscale("log", base=2)
        right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        right.set_xlabel("time of a training step, times softmax's")
        right.set_ylabel("top-1 of the test, %")
        words = {"better": "better than softmax", "level": "level", "worse": "worse", "": "softmax"}
        shown = [word for word in words if any(row["verdict"] == word for row in rows)]
        handles = [left.plot([], [], "o", color=COLOUR[word], label=words[word])[0] for word in shown]
        right.legend(handles=handles, title="beyond noise over the seeds")
        figure.suptitle(title)
        name_points(right, {row["mixer"]: (row["step"], 100 * row["top1"]) for row in timed})
        return png(figure)
