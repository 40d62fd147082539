"""Pictures of a tested network: its gaps by kind beside the rule's, a tour beside the best one, how well it keeps the state."""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.base.draw import COLOURS, GREY, png, style

__all__ = ["gap_figure", "state_figure", "tour_figure"]


def gap_figure(gaps: Mapping[str, Mapping[str, float]]) -> bytes:
    """`gaps` by name of the answer, then by kind: a group of bars a kind. Above ten times the middle bar they are cut."""
    names, kinds = list(gaps), list(next(iter(gaps.values())))
    values = np.array([[gaps[name][kind] for kind in kinds] for name in names])
    finite = values[np.isfinite(values)]
    top = max(1.0, 10 * float(np.median(finite))) if finite.size else 1.0
    width = 0.8 / len(names)
    with style() as Figure:
        figure = Figure(figsize=(1.6 + 1.3 * len(kinds), 3.4))
        axis = figure.subplots()
        for i, name in enumerate(names):
            places = np.arange(len(kinds)) + (i - (len(names) - 1) / 2) * width
            shown = np.clip(np.nan_to_num(values[i], nan=0.0, posinf=top), None, top)
            axis.bar(places, shown, width, label=name, color=COLOURS[i % len(COLOURS)])
            for place, value, height in zip(places, values[i], shown, strict=True):
                axis.text(place, max(height, 0), f"{value:.3g}", ha="center", va="bottom", size=7)
        axis.set_xticks(range(len(kinds)), kinds)
        axis.set_ylabel("mean gap to the label, %")
        axis.legend(ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, 1.18))
        return png(figure)


def state_figure(error: Mapping[str, float], right: Mapping[str, float]) -> bytes:
    """By kind: the mean error of the state that the network expects next, and how often its free decisions are the label's."""
    with style() as Figure:
        figure = Figure(figsize=(7.6, 2.8))
        for axis, (title, values) in zip(
            figure.subplots(1, 2), {"error of the next state": error, "decisions as in the label": right}.items(), strict=True
        ):
            axis.bar(range(len(values)), list(values.values()), color=COLOURS[0])
            axis.set_xticks(range(len(values)), list(values))
            axis.set_title(title)
        return png(figure)


def tour_figure(xy: np.ndarray, ours: Sequence[int], best: Sequence[int], gap: float) -> bytes:
    """Both round trips on the plane."""
    with style() as Figure:
        figure = Figure(figsize=(7.6, 3.8))
        for axis, (title, tour, colour) in zip(
            figure.subplots(1, 2), ((f"the network's, {gap:+.1f} %", ours, COLOURS[0]), ("the label's", best, GREY)), strict=True
        ):
            closed = xy[[*tour, tour[0]]]
            axis.plot(closed[:, 0], closed[:, 1], color=colour, marker="o", markersize=4)
            axis.set_title(title)
            axis.set_aspect("equal")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
        return png(figure)
