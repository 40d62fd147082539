"""Sizes as figures: answered against true, their difference against their mean (Bland and Altman), and how a polyp's frames were sized.

Everything returns the bytes of a PNG.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style
from apps.hag.metrics import Answers
from apps.hag.metrics.errors import LIMITS
from datamodules.hag.classes import BORDERS, SIZE_CLASSES, size_class

__all__ = ["CLASS_COLOURS", "agreement_figure", "scatter_figure", "trace_figure"]

CLASS_COLOURS = (COLOURS[2], COLOURS[4], COLOURS[1])  # diminutive, small, large: green, orange, vermilion
BLUE = COLOURS[0]
TICKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
SIDE = 5.0
MOST = 4000  # frames behind the polyps: more are one cloud


def scatter_figure(polyps: Answers, frames: Answers | None = None, ends: tuple[np.ndarray, np.ndarray] | None = None) -> bytes:
    """Answered by true mm on logarithmic axes. frames: small dots behind. ends: of each polyp's interval."""
    rows = _rows(polyps)
    low, high = (np.asarray(part)[rows] for part in ends) if ends is not None else (None, None)
    polyps = polyps.of(rows)
    with style() as Figure:
        figure = Figure(figsize=(SIDE + 0.6, SIDE + 0.4))
        axis = figure.subplots()
        parts = [polyps.true, polyps.mm, *(part for part in (low, high) if part is not None)]
        if frames is not None:
            frames = frames.of(_rows(frames))
            frames = frames.of(np.arange(len(frames))[:: max(1, math.ceil(len(frames) / MOST))])
            axis.scatter(_spread(frames.true), frames.mm, s=7, color=GREY, alpha=0.35, linewidths=0, label="frames", rasterized=True)
            parts.append(frames.mm)
        _cells(axis)
        limits = _limits([part for part in parts if part is not None])
        axis.plot(limits, limits, color="black", linewidth=1)
        at = _spread(polyps.true)
        if low is not None and high is not None:
            axis.vlines(at, low, high, color=BLUE, alpha=0.3, linewidth=1.2, label="intervals")
        for censored, marker, label in ((False, "o", "polyps"), (True, ">", "polyps of that size or more")):
            rows = polyps.censored == censored
            if rows.any():
                axis.scatter(at[rows], _mm(polyps)[rows], s=26, color=BLUE, marker=marker, edgecolors="white", linewidths=0.6, label=label)
        _logarithmic(axis, limits)
        axis.set_xlabel("true size (mm)")
        axis.set_ylabel("answered size (mm)")
        figure.legend(loc="outside lower center", fontsize=8, ncols=4)
        return png(figure)


def agreement_figure(polyps: Answers) -> bytes:
    """Bland and Altman: how far off, by how large, with the mean and the limits between which 95 % are if errors are normal."""
    exact = polyps.of(_rows(polyps) & ~polyps.censored)
    difference, mean = _mm(exact) - exact.true, (_mm(exact) + exact.true) / 2
    with style() as Figure:
        figure = Figure(figsize=(SIDE + 1.4, 3.8))
        axis = figure.subplots()
        colours = [CLASS_COLOURS[kind] for kind in size_class(exact.true)]
        axis.scatter(mean, difference, s=26, color=colours, edgecolors="white", linewidths=0.5)
        axis.axhline(0, color="black", linewidth=1)
        if len(exact) > 1:
            bias, spread = difference.mean(), difference.std(ddof=1)
            for value, label in ((bias, "bias"), (bias - LIMITS * spread, "lower limit"), (bias + LIMITS * spread, "upper limit")):
                axis.axhline(value, color=GREY, linewidth=1.2, linestyle="--")
                axis.annotate(
                    f"{label}\n{value:+.1f} mm",
                    (1.01, value),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    size=8,
                    annotation_clip=False,
                )
        for kind, colour in zip(SIZE_CLASSES, CLASS_COLOURS, strict=True):
            axis.scatter([], [], s=26, color=colour, label=f"truly {kind}")
        axis.set_xlabel("mean of true and answered size (mm)")
        axis.set_ylabel("answered less true (mm)")
        figure.legend(loc="outside lower center", fontsize=8, ncols=3)
        return png(figure)


def trace_figure(
    at: Sequence[float],
    mm: Sequence[float],
    quality: Sequence[float],
    size: tuple[float, float | None, float | None],
    unit: str = "frame",
    title: str = "",
) -> bytes:
    """One polyp over time. size: mm and its interval. Dots are frames, the paler the less they count."""
    x, y, weight = (np.asarray(part, np.float64) for part in (at, mm, quality))
    middle, low, high = size
    rows = np.isfinite(y) & (y > 0)
    with style() as Figure:
        figure = Figure(figsize=(7.2, 3.2))
        axis = figure.subplots()
        limits = _limits([y[rows], np.array([value for value in size if value is not None and math.isfinite(value)])])
        for (bottom, top), colour, kind in zip(((0.01, 5), (5, 10), (10, 1000)), CLASS_COLOURS, SIZE_CLASSES, strict=True):
            if top > limits[0] and bottom < limits[1]:
                axis.axhspan(bottom, top, color=colour, alpha=0.08, linewidth=0)
                inside = math.sqrt(max(bottom, limits[0]) * min(top, limits[1]))
                axis.annotate(kind, (1.01, inside), xycoords=("axes fraction", "data"), size=8, color=colour, va="center")
        if math.isfinite(middle):
            axis.axhline(middle, color=BLUE, linewidth=1.6, label=f"polyp: {middle:.1f} mm")
            if low is not None and high is not None:
                label = f"interval: {low:.1f} to {high:.1f} mm"
                axis.axhline(low, color=BLUE, linewidth=1.2, linestyle="--", label=label)
                axis.axhline(high, color=BLUE, linewidth=1.2, linestyle="--")
        shade = 0.15 + 0.85 * np.clip(weight[rows], 0, 1) if rows.any() else None  # matplotlib refuses no shades at all
        axis.scatter(x[rows], y[rows], s=16, color="black", alpha=shade, linewidths=0, label="frames (paler: count less)")
        _logarithmic(axis, limits, vertical=True)
        if (x == x.round()).all():
            axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_xlabel(unit)
        axis.set_ylabel("mm")
        if title:
            axis.set_title(title)
        figure.legend(loc="outside lower center", fontsize=8, ncols=3)
        return png(figure)


def _mm(answers: Answers) -> np.ndarray:
    assert answers.mm is not None
    return answers.mm


def _rows(answers: Answers) -> np.ndarray:
    """Which have a true and an answered size."""
    if answers.mm is None:
        raise ValueError("no mm was answered; there is nothing to draw")
    return np.isfinite(answers.true) & np.isfinite(answers.mm) & (answers.mm > 0)


def _spread(true: np.ndarray) -> np.ndarray:
    """True sizes pile up on whole millimetres: moved apart by up to 3 %, so that each can be seen."""
    return true * np.exp(np.random.default_rng(0).uniform(-0.03, 0.03, len(true)))


def _cells(axis: Any) -> None:
    """Where an answer is of the right class, and the borders."""
    edges = (0.01, *BORDERS, 1000.0)
    for low, high, colour in zip(edges, edges[1:], CLASS_COLOURS, strict=False):
        axis.fill_between([low, high], low, high, color=colour, alpha=0.12, linewidth=0)
    for border in BORDERS:
        axis.axhline(border, color=GREY, linewidth=0.8, linestyle=":")
        axis.axvline(border, color=GREY, linewidth=0.8, linestyle=":")


def _limits(parts: Sequence[np.ndarray]) -> tuple[float, float]:
    every = np.concatenate([part for part in parts if len(part)] or [np.array([2.0, 15.0])])
    return 0.85 * min(float(every.min()), 4.0), 1.18 * max(float(every.max()), 12.0)


def _logarithmic(axis: Any, limits: tuple[float, float], vertical: bool = False) -> None:
    ticks = [tick for tick in TICKS if limits[0] <= tick <= limits[1]]
    for set_scale, set_limits, set_ticks, wanted in (
        (axis.set_yscale, axis.set_ylim, axis.set_yticks, True),
        (axis.set_xscale, axis.set_xlim, axis.set_xticks, not vertical),
    ):
        if wanted:
            set_scale("log")
            set_limits(*limits)
            set_ticks([], minor=True)
            set_ticks(ticks, [str(tick) for tick in ticks])
