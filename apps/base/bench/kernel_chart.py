"""One operation's length sweep as a picture: time and peak memory of every form, and the least time that the device would need."""

from collections.abc import Sequence
from typing import Any

from apps.base.bench.kernel_table import OURS, PASSES, ahead
from apps.base.draw import COLOURS, GREY, png, style

__all__ = ["chart"]

FORMS = ("eager", "compiled", "torch form", "plain", "sdpa", "flex")
PANELS = (("ms", "time, ms", 1.0), ("peak_bytes", "peak memory, MiB", 2.0**20))
MARKERS = "osD^vP"


def chart(rows: Sequence[dict[str, Any]], title: str) -> bytes:
    """`rows` are of one operation and dtype. Ours is black; a ring marks from where on it beats the best of the others for good."""
    with style() as Figure:
        figure = Figure(figsize=(11, 8))
        axes = figure.subplots(2, 2)
        names = [form for form in (*FORMS, OURS) if any(row["form"] == form for row in rows)]
        for column, which in enumerate(PASSES):
            for row_of_panels, (measure, what, unit) in enumerate(PANELS):
                axis = axes[row_of_panels][column]
                for form in names:
                    own = sorted((row["length"], row[measure] / unit) for row in rows if (row["form"], row["pass"]) == (form, which))
                    own = [(n, value) for n, value in own if value > 0]
                    axis.plot(*zip(*own, strict=True), **_look(form)) if own else None
                    begin = ahead(rows, which, measure) if form == OURS else None
                    if begin is not None and begin in dict(own):
                        axis.plot(begin, dict(own)[begin], "o", markersize=13, markerfacecolor="none", color="black")
                if measure == "ms":
                    floor = sorted({(row["length"], row["floor_ms"]) for row in rows if row["pass"] == which and row["floor_ms"] > 0})
                    axis.plot(*zip(*floor, strict=True), color=GREY, linestyle="--") if floor else None
                    axis.set_title(which)
                axis.set_xscale("log", base=2)
                axis.set_yscale("log")
                axis.set_xlabel("length")
                axis.set_ylabel(what)
        handles = [axes[0][0].plot([], [], label=form, **_look(form))[0] for form in names]
        handles += axes[0][0].plot([], [], color=GREY, linestyle="--", label="floor: what the\ndevice was measured\nto move and multiply")
        handles += axes[0][0].plot([], [], "o", markersize=13, markerfacecolor="none", color="black", label="ours is ahead\nfrom here on")
        figure.legend(handles=handles, loc="outside right upper")
        figure.suptitle(title)
        return png(figure)


def _look(form: str) -> dict[str, Any]:
    if form == OURS:
        return {"color": "black", "marker": "o", "markersize": 5, "linewidth": 2.6}
    i = FORMS.index(form)
    return {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 5}
