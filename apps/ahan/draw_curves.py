"""Verification drawn: ROC over a logarithmic rate of false accepts, DET on probit axes, and the scores themselves.

Each takes sets of pairs by name, as {"general": (scores, same), "twin": (scores, same)}, and gives the bytes of a PNG.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from apps.ahan.metrics import det_points, eer, roc
from apps.base.draw import COLOURS, GREY, png, style

__all__ = ["Sets", "det_figure", "roc_figure", "scores_figure"]

Sets = Mapping[str, tuple[np.ndarray, np.ndarray]]  # scores (N,), same (N,)

SIDE = 4.4  # inches
RATES = (0.001, 0.01, 0.05, 0.2, 0.4)  # ticks of DET
DASHES = ("-", "--", ":", "-.")  # a second mark beside the colour
BINS = 40


def roc_figure(sets: Sets, title: str = "ROC") -> bytes:
    """The share of genuine pairs accepted over that of impostors. It begins at one impostor: left of it nothing was measured."""
    with style() as Figure:
        figure = Figure(figsize=(SIDE + 0.4, SIDE + 0.5))
        axis = figure.subplots()
        least = 1.0
        for number, (name, (scores, same)) in enumerate(sets.items()):
            far, tar = roc(scores, same)
            least = min(least, 1 / int((~np.asarray(same, bool)).sum()))
            axis.step(far, tar, where="post", label=_named(name, scores, same), **_line(number))
        axis.plot(*[np.geomspace(least, 1, 100)] * 2, color=GREY, linewidth=1, linestyle=(0, (1, 3)), label="chance")
        axis.set_xscale("log")
        axis.set_xlim(least, 1)
        axis.set_ylim(0, 1.01)
        axis.set_xlabel("false accept rate")
        axis.set_ylabel("true accept rate")
        axis.set_title(title)
        figure.legend(loc="outside lower center", fontsize=8, ncols=2)
        return png(figure)


def det_figure(sets: Sets, title: str = "DET") -> bytes:
    """Both errors on probit axes, where normal scores make a straight line; the diagonal is the equal error rate."""
    ticks = torch.special.ndtri(torch.tensor(RATES, dtype=torch.float64)).numpy()
    with style() as Figure:
        figure = Figure(figsize=(SIDE + 0.4, SIDE + 0.5))
        axis = figure.subplots()
        low = ticks[0]
        for number, (name, (scores, same)) in enumerate(sets.items()):
            far, frr = det_points(scores, same)
            low = min(low, far.min(), frr.min())
            axis.step(far, frr, where="post", label=_named(name, scores, same), **_line(number))
        high = -ticks[0] if any(eer(*pairs) > RATES[-1] for pairs in sets.values()) else ticks[-1] + 0.3
        axis.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle=(0, (1, 3)))
        for set_ticks, set_limits in ((axis.set_xticks, axis.set_xlim), (axis.set_yticks, axis.set_ylim)):
            shown = [*zip(ticks, RATES, strict=True), *((-tick, 1 - rate) for tick, rate in zip(ticks, RATES, strict=True) if -tick < high)]
            set_ticks([tick for tick, _ in shown], [f"{100 * rate:g} %" for _, rate in shown])
            set_limits(low - 0.1, high)
        axis.set_xlabel("false accept rate")
        axis.set_ylabel("false reject rate")
        axis.set_title(title)
        figure.legend(loc="outside lower center", fontsize=8, ncols=2)
        return png(figure)


def scores_figure(sets: Sets, thresholds: Mapping[str, float] | None = None, title: str = "") -> bytes:
    """A panel a set: how genuine pairs and impostors score, all on one axis. thresholds: where a decision falls, by set."""
    thresholds = thresholds or {}
    every = np.concatenate([np.asarray(scores) for scores, _ in sets.values()])
    edges = np.linspace(every.min(), max(every.max(), every.min() + 1e-6), BINS + 1)
    with style() as Figure:
        figure = Figure(figsize=(SIDE + 1.6, 1.9 * len(sets) + 0.6))
        axes = figure.subplots(len(sets), 1, squeeze=False, sharex=True).ravel()
        for axis, (name, (scores, same)) in zip(axes, sets.items(), strict=True):
            scores, same = np.asarray(scores), np.asarray(same, bool)
            for kind, label, colour, hatch in ((~same, "impostors", COLOURS[1], "//"), (same, "genuine", COLOURS[0], None)):
                share = np.full(int(kind.sum()), 100 / max(1, int(kind.sum())))
                axis.hist(scores[kind], edges, weights=share, color=colour, alpha=0.55, hatch=hatch, label=f"{label} ({int(kind.sum())})")
            if name in thresholds:
                right = thresholds[name] > (edges[0] + edges[-1]) / 2
                axis.axvline(thresholds[name], color="black", linewidth=1.2, linestyle="--")
                axis.annotate(
                    f"{thresholds[name]:.3f}", (thresholds[name], 0.97), xycoords=("data", "axes fraction"), xytext=(-3 if right else 3, 0),
                    textcoords="offset points", va="top", ha="right" if right else "left", size=8,
                )  # fmt: skip
            axis.set_title(name)
            axis.set_ylabel("% of pairs")
            axis.legend(fontsize=8, loc="upper left")
        axes[-1].set_xlabel("score (cosine)")
        if title:
            figure.suptitle(title)
        return png(figure)


def _line(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def _named(name: str, scores: np.ndarray, same: np.ndarray) -> str:
    return f"{name}: EER {100 * eer(scores, same):.1f} %"
