"""Gates drawn: how they moved while they learned, and which channels of each place are open in the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style
from apps.hag.watch import BANDS, GATE

__all__ = ["gates_figure", "maps_figure"]

Points = Sequence[tuple[int, float]]  # (step, value)
TRAIN = f"train/{GATE}"
COLUMNS = 4
MOST = 24  # places that are drawn
WIDE = 64  # channels in a row of a map


def gates_figure(history: Mapping[str, Points], names: Sequence[str] = ()) -> bytes | None:
    """A panel a place: single gates as lines, many as bands of their quantiles. PNG; None where the run logged no gates.

    names: of the channels of the input, where they are drawn one by one.
    """
    found: dict[str, dict[str, Points]] = {}
    for key, points in history.items():
        if key.startswith(TRAIN):
            place, _, part = key.removeprefix(TRAIN).rpartition("/")
            found.setdefault(place, {})[part] = points
    if not found:
        return None
    shown = list(found.items())[:MOST]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with style() as Figure:
        figure = Figure(figsize=(3.4 * columns, 2.5 * rows + 0.3))
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axis, (place, parts) in zip(axes, shown, strict=False):
            axis.set_title(short(place), size=9)
            axis.set_xlabel("step")
            if set(parts) == set(BANDS):
                _bands(axis, parts)
            else:
                _lines(axis, parts, names if len(names) == len(parts) else ())
            axis.set_ylim(-0.03, max(1.03, *(value for points in parts.values() for _, value in points)))
        for axis in axes[len(shown) :]:
            axis.remove()
        figure.suptitle("gates while they learned" + (f", the first {MOST} of {len(found)} places" if len(found) > MOST else ""))
        return png(figure)


def _bands(axis: Any, parts: Mapping[str, Points]) -> None:
    steps = [step for step, _ in parts["middle"]]
    value = {name: [value for _, value in points] for name, points in parts.items()}
    axis.fill_between(steps, value["least"], value["most"], color=COLOURS[0], alpha=0.15, linewidth=0, label="all")
    axis.fill_between(steps, value["low"], value["high"], color=COLOURS[0], alpha=0.3, linewidth=0, label="80 %")
    axis.plot(steps, value["middle"], color=COLOURS[0], label="median", marker="o" if len(steps) == 1 else None)
    axis.legend(fontsize=7)


def _lines(axis: Any, parts: Mapping[str, Points], names: Sequence[str]) -> None:
    for number, (channel, points) in enumerate(sorted(parts.items(), key=lambda item: int(item[0]))):
        label = names[int(channel)] if names else None
        marker = "o" if len(points) == 1 else None
        axis.plot(*zip(*points, strict=True), color=COLOURS[number % len(COLOURS)], linestyle=("-", "--", ":")[number // len(COLOURS) % 3],
                  linewidth=1.8 if names else 1.0, label=label, marker=marker)  # fmt: skip
    if names:
        axis.legend(fontsize=7, ncols=1 + len(names) // 7)


def maps_figure(values: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> bytes:
    """Every channel of every place as a cell, dark where it is open, and how many of a place are open and closed. PNG."""
    shown = list(values.items())[:MOST]
    heights = [max(1, -(-len(value) // WIDE)) for _, value in shown]
    with style() as Figure:
        figure = Figure(figsize=(8.5, 0.75 * len(shown) + 0.11 * sum(heights) + 0.7))
        axes = figure.subplots(len(shown), 1, squeeze=False, height_ratios=[max(height, 2) for height in heights]).ravel()
        most = max(1.0, *(float(value.max()) for _, value in shown))
        drawn = None
        for axis, (place, value) in zip(axes, shown, strict=True):
            wide = min(WIDE, len(value))
            cells = np.full(-(-len(value) // wide) * wide, np.nan)
            cells[: len(value)] = value
            drawn = axis.imshow(cells.reshape(-1, wide), cmap="Blues", vmin=0, vmax=most, aspect="auto", interpolation="nearest")
            axis.grid(False)
            axis.set_yticks([])
            named = len(names) == len(value)
            axis.set_xticks(range(len(value)) if named else [], names if named else [], size=7)
            counts = f"{len(value)} gates, {(value > 0.9).sum()} above 0.9, {(value < 0.1).sum()} below 0.1"
            axis.set_title(f"{short(place)}: {counts}", size=8, loc="left", color=GREY if (value > 0.1).all() else "black")
        figure.colorbar(drawn, ax=list(axes), label="gate", shrink=0.6)
        return png(figure)


def short(place: str) -> str:
    """The place without the names that all have."""
    return place.removeprefix("streams.").replace(".trunk", "").replace("conv1", "input")
