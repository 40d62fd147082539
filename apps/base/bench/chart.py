"""The length sweep of one pattern as a picture: time and memory over the number of tokens, forward and with the backward pass."""

from collections.abc import Sequence
from typing import Any

from apps.base.bench.wins import BASE, best, wins
from apps.base.draw import COLOURS, png, style

__all__ = ["chart"]

PANELS = (
    ("forward_ms", "forward", "time [ms]"),
    ("both_ms", "forward and backward", "time [ms]"),
    ("forward_mib", "forward", "peak memory [MiB]"),
    ("both_mib", "forward and backward", "peak memory [MiB]"),
)
STYLES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX*<>"


def chart(rows: Sequence[dict[str, Any]], title: str) -> bytes:
    """Softmax is thick and black; a ring stands where another mixer begins to beat it for good. Each in its best form."""
    names = sorted({row["mixer"] for row in rows})
    others = [name for name in names if name != BASE]
    looks: dict[str, dict[str, Any]] = {
        name: {
            "color": COLOURS[i % 6],  # the seventh, black, is softmax's
            "linestyle": STYLES[i // 6 % len(STYLES)],
            "marker": MARKERS[i % len(MARKERS)],
        }
        for i, name in enumerate(others)
    }
    looks[BASE] = {"color": "black", "linestyle": "-", "marker": "o", "linewidth": 3.2, "zorder": 1.5}
    begins = {row["mixer"]: row for row in wins(rows)}
    with style() as Figure:
        figure = Figure(figsize=(11, 7.6))
        axes = figure.subplots(2, 2, sharex=True).ravel()
        ticks = sorted({row["tokens"] for row in rows})
        for axis, (measure, what, unit) in zip(axes, PANELS, strict=True):
            table = best(rows, measure)
            for name in sorted(table, key=lambda name: name != BASE):
                lengths = sorted(table[name])
                axis.plot(lengths, [table[name][n] for n in lengths], markersize=5, **looks[name])
                begin = begins[name][measure] if name != BASE else None
                if begin is not None:
                    axis.plot(begin, table[name][begin], "o", markersize=13, markerfacecolor="none", color=looks[name]["color"])
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks(ticks, [str(n) for n in ticks])
            axis.minorticks_off()
            axis.set_title(what)
            axis.set_ylabel(unit)
        for axis in axes[2:]:
            axis.set_xlabel("tokens")
        handles = [axes[0].plot([], [], label=name, markersize=5, **looks[name])[0] for name in [*(n for n in names if n == BASE), *others]]
        handles += axes[0].plot([], [], "o", markersize=13, markerfacecolor="none", color="grey", label="beats softmax\nfrom here on")
        figure.legend(handles=handles, loc="outside right upper", handlelength=3.2)
        figure.suptitle(title)
        return png(figure)
