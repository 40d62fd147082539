"""Whether intervals hold as often as they say, and probabilities come true as often: two panels in one PNG."""

from typing import Any

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style
from apps.hag.calibration_file import Spread
from apps.hag.metrics import Answers
from datamodules.hag.classes import BORDERS

__all__ = ["calibration_figure"]

LEVELS = np.arange(1, 20) / 20
BINS, LEAST = 8, 5  # of probabilities: so many bins of equal mass, with at least so many polyps in each


def calibration_figure(polyps: Answers, spread: Spread | None, title: str = "") -> bytes:
    """polyps: with p_gt5 and p_ge10 where probabilities are to be judged. spread: of the intervals; None: there are none."""
    known = polyps.known()
    panels: list[Any] = [lambda axis: _intervals(axis, known, spread)] if spread is not None else []
    if known.p_gt5 is not None and known.p_ge10 is not None:
        panels.append(lambda axis: _reliability(axis, known, (known.p_gt5, known.p_ge10)))
    if not panels:
        raise ValueError("neither intervals nor probabilities; there is nothing to draw")
    with style() as Figure:
        figure = Figure(figsize=(4.6 * len(panels), 4.4))
        for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False).ravel(), panels, strict=True):
            axis.plot([0, 1], [0, 1], color="black", linewidth=1)
            axis.set_xlim(0, 1)
            axis.set_ylim(0, 1.02)
            panel(axis)
            axis.legend(fontsize=8, loc="upper left")
        if title:
            figure.suptitle(title)
        return png(figure)


def _intervals(axis: Any, known: Answers, spread: Spread) -> None:
    """How many polyps lie inside of intervals of every level, those without an answer outside."""
    assert known.mm is not None
    exact = known.of(~known.censored)
    assert exact.mm is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(np.log(exact.true) - np.log(exact.mm))
    wide = np.sort(np.abs(spread.residuals))
    rank = np.ceil(LEVELS * (len(wide) + 1) - 1e-9).astype(int)
    levels, rank = LEVELS[rank <= len(wide)], rank[rank <= len(wide)]
    inside = (off[:, None] <= wide[rank - 1]).mean(0) if len(off) else np.zeros(len(levels))
    noise = 1.96 * np.sqrt(levels * (1 - levels) / max(1, len(off)))
    axis.fill_between(levels, levels - noise, levels + noise, color=GREY, alpha=0.18, linewidth=0, label=f"chance, {len(off)} polyps")
    axis.plot(levels, inside, color=COLOURS[0], marker="o", markersize=4, label="intervals")
    axis.set_xlabel("level of the interval")
    axis.set_ylabel("share of polyps inside")
    axis.set_title("intervals")


def _reliability(axis: Any, known: Answers, shares: Any) -> None:
    """Probabilities in bins of equal mass, against how often it was so. Of a censored size below a border nobody knows."""
    low, high = BORDERS
    for p, above, sure, colour, label in (
        (shares[0], known.true > low, ~known.censored | (known.true > low), COLOURS[0], f"> {low:g} mm"),
        (shares[1], known.true >= high, ~known.censored | (known.true >= high), COLOURS[1], f">= {high:g} mm"),
    ):
        rows = np.flatnonzero(np.isfinite(p) & sure)
        order = rows[np.argsort(p[rows], kind="stable")]
        bins = np.array_split(order, max(1, min(BINS, len(order) // LEAST)))
        said, was = (np.array([part[each].mean() for each in bins if len(each)]) for part in (p, above))
        count = np.array([len(each) for each in bins if len(each)])
        error = 1.96 * np.sqrt(np.maximum(was * (1 - was), 0.25 / np.maximum(count, 1)) / np.maximum(count, 1))
        axis.errorbar(
            said,
            was,
            [np.minimum(error, was), np.minimum(error, 1 - was)],
            color=colour,
            marker="o",
            markersize=4,
            linewidth=1.2,
            label=label,
        )
    axis.set_xlabel("probability")
    axis.set_ylabel("share of polyps for which it came true")
    axis.set_title("probabilities")
