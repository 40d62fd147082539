"""The length sweep of one pattern as a picture: time and memory beside softmax's, over the number of tokens."""

from collections.abc import Sequence
from typing import Any

from apps.base.bench.wins import BASE, MEASURES, best, wins
from apps.base.draw import COLOURS, png, style

__all__ = ["chart"]

PANELS = (
    ("forward_ms", "forward", "time", "ms"),
    ("both_ms", "forward and backward", "time", "ms"),
    ("forward_mib", "forward", "peak memory", "MiB"),
    ("both_mib", "forward and backward", "peak memory", "MiB"),
)
STYLES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX*<>"


def chart(rows: Sequence[dict[str, Any]], title: str, names: Sequence[str]) -> bytes:
    """Softmax is the black line at 1, its own figures stand below; a ring marks where a mixer begins to beat it for good.

    Each is shown in its best form. `names`: all mixers of all patterns, so that one looks alike in every picture."""
    others = sorted(set(names) - {BASE})
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
        figure = Figure(figsize=(12, 8))
        axes = figure.subplots(2, 2).ravel()
        for axis, (measure, what, quantity, unit) in zip(axes, PANELS, strict=True):
            table = best(rows, measure)
            base = table[BASE]
            for name in sorted(table, key=lambda name: name != BASE):
                lengths = sorted(table[name].keys() & base.keys())
                axis.plot(lengths, [table[name][n] / base[n] for n in lengths], markersize=5, **looks[name])
                begin = begins[name][measure] if name != BASE else None
                if begin is not None:
                    ring = {"markersize": 13, "markerfacecolor": "none", "color": looks[name]["color"]}
                    axis.plot(begin, table[name][begin] / base[begin], "o", **ring)
            axis.set_xscale("log", base=2)
            axis.set_yscale("log", base=2)
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_xticks(sorted(base), [f"{n}\n{base[n]:.3g} {unit}" for n in sorted(base)])
            axis.minorticks_off()
            axis.set_title(what)
            axis.set_ylabel(f"{quantity}, times softmax's")
            axis.set_xlabel(f"tokens, and softmax's {quantity}")
        handles = [
            axes[0].plot([], [], label=name, markersize=5, **looks[name])[0] for name in [BASE, *others] if name in best(rows, MEASURES[0])
        ]
        handles += axes[0].plot([], [], "o", markersize=13, markerfacecolor="none", color="grey", label="beats softmax\nfrom here on")
        figure.legend(handles=handles, loc="outside right upper", handlelength=3.2)
        figure.suptitle(title)
        return png(figure)
