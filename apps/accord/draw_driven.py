"""Routes without coordinates: each is a line, its stops stand at the distance driven so far, and its load is a bar beside it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from apps.accord.numbers import plainly
from apps.base.svg import GREY, INK, LIGHT, Svg, colour, number, shorten, ticks, width_of
from datamodules.accord.solution import Plan

__all__ = ["draw_driven"]

WIDE = 860.0  # of the axis
LANE = 34.0
STOPS = 25  # a longer way is broken into lanes of so many stops


def draw_driven(
    distances: np.ndarray,
    rounds: Sequence[Plan],
    name: str,
    summary: str,
    scale: int,
    loads: tuple[Sequence[int], int] | None,
    label: Callable[[int], str],
) -> str:
    """`rounds`: each a way from its first node back to it. `loads`: what each carries, and what it may. `label`: what a node is called."""
    lanes = _lanes(distances, rounds)
    longest = max((lane[1][-1] - lane[1][0] for lane in lanes), default=0) or 1
    left, right = 92.0, 150.0 if loads is not None else 30.0
    svg = Svg(left + WIDE + right, 110 + LANE * len(lanes), f"routes of {name}")
    top = svg.head(f"{name}", f"{summary}; there are no coordinates: stops stand at the distance from the beginning of their line") + 16
    bottom = top + LANE * len(lanes)
    for tick in ticks(0, longest / scale):
        x = left + WIDE * tick * scale / longest
        svg.line(x, top - 8, x, bottom - 8, stroke=LIGHT)
        svg.text(x, bottom + 8, number(tick), size=10, anchor="middle", fill="#444444")
    for row, (which, driven, nodes, first) in enumerate(lanes):
        y = top + LANE * row + 12
        svg.text(left - 12, y + 4, f"route {which + 1}" if first else "goes on", size=11, anchor="end")
        places = [left + WIDE * (at - driven[0]) / longest for at in driven]
        svg.line(places[0], y, places[-1], y, stroke=colour(which), width=3)
        free = -1e9
        for x, node, at in zip(places, nodes, driven, strict=True):
            svg.circle(
                x,
                y,
                4,
                fill=INK if node == rounds[which][0] else colour(which),
                tip=f"node {label(node)}, {plainly(int(at), scale)} driven",
            )
            text = label(node)
            if x - width_of(text, 9) / 2 > free:  # labels that would lie on one another are left to the tips
                svg.text(x, y - 7, text, size=9, anchor="middle")
                free = x + width_of(text, 9) / 2 + 1
        if loads is not None and first:
            carried, most = loads[0][which], loads[1]
            svg.rect(left + WIDE + 14, y - 6, 60, 12, fill="#FFFFFF", stroke=GREY)
            svg.rect(left + WIDE + 14, y - 6, 60 * carried / max(most, 1), 12, fill=colour(which))
            svg.text(left + WIDE + 80, y + 4, shorten(f"{carried} of {most}", 10, 68), size=10)
    return svg.text_of()


def _lanes(distances: np.ndarray, rounds: Sequence[Plan]) -> list[tuple[int, list[int], list[int], bool]]:
    """(which round, distance driven at each stop, the stops, whether it begins it): one stop is common to two lanes of a round."""
    lanes = []
    for which, way in enumerate(rounds):
        legs = [int(distances[a, b]) for a, b in pairwise(way)]
        driven = [sum(legs[:i]) for i in range(len(way))]
        for start in range(0, max(len(way) - 1, 1), STOPS):
            part = slice(start, start + STOPS + 1)
            lanes.append((which, driven[part], list(way[part]), start == 0))
    return lanes
