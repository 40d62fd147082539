"""Histograms of the gates of each place: are they decided, or do they still hang in the middle?"""

from collections.abc import Mapping

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style
from apps.hag.draw_gates import short

__all__ = ["histograms_figure"]

BINS = 20
COLUMNS = 4
MOST = 24  # places that are drawn


def histograms_figure(values: Mapping[str, np.ndarray], streams: Mapping[str, float] | None = None) -> bytes:
    """A panel a place, with the borders of open and closed; streams: their shares, as bars in a panel of its own. PNG."""
    shown = list(values.items())[:MOST]
    panels = len(shown) + bool(streams)
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    top = 2.0 if any(value.max() > 1 for value in values.values()) else 1.0
    with style() as Figure:
        figure = Figure(figsize=(2.9 * columns, 2.2 * rows + 0.4))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (place, value) in zip(axes, shown, strict=False):
            axis.hist(value, BINS, range=(0.0, top), color=COLOURS[0])
            for border in (0.1, 0.9):
                axis.axvline(border, color=GREY, linewidth=0.8, linestyle=":")
            axis.set_title(f"{short(place)} ({len(value)})", size=8)
            axis.set_xlim(0, top)
            axis.set_xlabel("value", size=8)
            axis.set_ylabel("gates", size=8)
            axis.yaxis.get_major_locator().set_params(integer=True)
        if streams:
            axis = axes[len(shown)]
            axis.bar(range(len(streams)), list(streams.values()), color=COLOURS[1])
            axis.set_xticks(range(len(streams)), list(streams), size=8)
            axis.set_ylim(0, 1)
            axis.set_title("streams: share of what varies", size=8)
        for axis in axes[panels:]:
            axis.remove()
        figure.suptitle("values of the gates" + (f", the first {MOST} of {len(values)} places" if len(values) > MOST else ""))
        return png(figure)
