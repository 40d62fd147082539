"""A sweep as a picture."""

import statistics
from collections.abc import Sequence

from apps.base.draw import COLOURS, png, style

__all__ = ["sweep_figure"]

MOST = 40  # rows that can be read


def sweep_figure(rows: Sequence[tuple[str, Sequence[float]]], metric: str) -> bytes:
    """A line a combination, the best on top: a point a training, a bar at the mean. PNG."""
    shown = rows[:MOST]
    with style() as Figure:
        figure = Figure(figsize=(7.0, 1.2 + 0.3 * len(shown)))
        axis = figure.subplots()
        for place, (_, scores) in enumerate(shown):
            axis.plot(scores, [place] * len(scores), "o", markersize=5, color=COLOURS[0], alpha=0.7)
            axis.plot([statistics.fmean(scores)], [place], "|", markersize=14, color=COLOURS[-1])
        axis.set_yticks(range(len(shown)), [where for where, _ in shown])
        axis.set_ylim(len(shown) - 0.5, -0.5)
        axis.set_xlabel(metric)
        more = f"; {len(rows) - MOST} more are left out" if len(rows) > MOST else ""
        axis.set_title(f"a point a training, a bar at the mean{more}", size=10)
        return png(figure)
