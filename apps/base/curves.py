"""How a quantity went, as a picture: one line a stage. Written as SVG, so that a report costs no plotting package and no seconds."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from apps.base.draw import COLOURS, GREY
from apps.base.svg import LIGHT, Svg, legend, number, shorten, ticks, width_of

__all__ = ["curve"]

WIDTH, HIGH = 480.0, 190.0
TOP = 58.0
RIGHT = 16.0
STAGES = {"train": COLOURS[0], "val": COLOURS[1], "test": COLOURS[2]}  # the same in every picture
DOTTED = 15  # fewer points get marks
MOST = 800  # points of a line; of more, the least and the greatest of each piece are drawn
Points = Sequence[tuple[float, float]]  # (step or second, value) in order


def curve(title: str, lines: Mapping[str, Points], unit: str) -> str:
    """`lines` by stage; `unit` is what the lower axis counts. Values that are not finite are gaps."""
    svg = Svg(WIDTH, TOP + HIGH + 44, title)
    svg.text(WIDTH / 2, 22, shorten(title, 13, WIDTH - 20), size=13, anchor="middle", bold=True)
    finite = [point for points in lines.values() for point in points if math.isfinite(point[1])]
    if not finite:
        svg.text(WIDTH / 2, TOP + HIGH / 2, "no finite value", anchor="middle", fill=GREY)
        return svg.text_of()
    first, last = _range([x for points in lines.values() for x, _ in points], 0.0)
    low, high = _range([y for _, y in finite], 0.06)
    marks = ticks(low, high, 5)
    left = 14 + max(width_of(number(mark), 10) for mark in marks)
    bottom, wide = TOP + HIGH, WIDTH - RIGHT - left

    def at(x: float, y: float) -> tuple[float, float]:
        return left + wide * (x - first) / (last - first), bottom - HIGH * (y - low) / (high - low)

    for mark in marks:
        y = at(first, mark)[1]
        svg.line(left, y, left + wide, y, stroke=LIGHT)
        svg.text(left - 6, y + 3.5, number(mark), size=10, anchor="end")
    for mark in ticks(first, last, 6):
        if mark == round(mark):
            x = at(mark, low)[0]
            svg.line(x, bottom, x, bottom + 4, stroke=GREY)
            svg.text(x, bottom + 16, number(mark), size=10, anchor="middle")
    svg.line(left, TOP, left, bottom, stroke=GREY)
    svg.line(left, bottom, left + wide, bottom, stroke=GREY)
    for stage, points in sorted(lines.items()):
        paint = STAGES.get(stage, COLOURS[0])
        for whole, piece in groupby(_thin(points), key=lambda point: math.isfinite(point[1])):
            drawn = [at(x, y) for x, y in piece] if whole else []
            if len(drawn) > 1:
                svg.path(drawn, stroke=paint)
            if drawn and (len(points) < DOTTED or len(drawn) == 1):
                for x, y in drawn:
                    svg.circle(x, y, 2.6, fill=paint)
    svg.text(left + wide / 2, bottom + 34, unit, size=10, anchor="middle")
    if any(lines):
        legend(svg, left, 44, [(STAGES.get(stage, COLOURS[0]), stage) for stage in sorted(lines)], wide, size=10)
    return svg.text_of()


def _range(values: Sequence[float], margin: float) -> tuple[float, float]:
    """Never empty: a line that stays where it is runs through the middle."""
    low, high = min(values), max(values)
    room = (high - low) * margin if high > low else abs(high) / 2 or 0.5
    return low - room, high + room


def _thin(points: Points) -> Points:
    """Of many points the least and the greatest of each piece, so that no peak is lost."""
    if len(points) <= MOST:
        return points
    size = math.ceil(2 * len(points) / MOST)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        piece = points[start : start + size]
        broken = next((point for point in piece if not math.isfinite(point[1])), None)
        kept += [broken] if broken else sorted({min(piece, key=lambda point: point[1]), max(piece, key=lambda point: point[1])})
    return kept
