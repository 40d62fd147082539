"""Gaps as curves: over the seconds that were spent, and over the number of samples that were drawn."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from apps.base.svg import GREY, LIGHT, Svg, colour, legend, number, ticks, width_of

__all__ = ["draw_gaps", "over_samples"]

LEFT, WIDE, HIGH = 76.0, 700.0, 320.0
Points = Sequence[tuple[float, float]]  # (seconds or samples, gap in percent), in order


def over_samples(objectives: Sequence[int], gaps: Mapping[int, float]) -> list[tuple[float, float]]:
    """The least gap after each sample; `gaps` tells that of each objective."""
    points, least = [], math.inf
    for count, objective in enumerate(objectives, 1):
        least = min(least, gaps[int(objective)])
        points.append((float(count), least))
    return points


def draw_gaps(curves: Mapping[str, Points], unit: str, title: str, summary: str = "", end: float | None = None) -> str:
    """One line a method. `unit`: what the lower axis counts, `seconds` or `samples`; it is logarithmic.

    Each line is a staircase: between two answers the first one holds, and after its last one it goes on to `end`.
    """
    drawn = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in curves.items()}
    svg = Svg(LEFT + WIDE + 40, HIGH + 200, title)
    top = svg.head(title, *([summary] if summary else [])) + 12
    everything = [point for points in drawn.values() for point in points]
    if not everything:
        svg.text(LEFT, top + 40, "no method gave an answer with a gap", fill="#444444")
        return svg.text_of()
    first = max(min(x for x, _ in everything), 1e-3)
    last = max(end or 0.0, max(x for x, _ in everything), first * 1.5)
    low, high = min(0.0, min(y for _, y in everything)), max(max(y for _, y in everything), 0.1)
    bottom = top + HIGH

    def at(x: float, y: float) -> tuple[float, float]:
        share = math.log(max(x, first) / first) / math.log(last / first)
        return LEFT + WIDE * share, bottom - HIGH * (y - low) / ((high - low) * 1.05)

    for tick in ticks(low, high * 1.05):
        y = at(first, tick)[1]
        svg.line(LEFT, y, LEFT + WIDE, y, stroke=GREY if tick == 0 else LIGHT)
        svg.text(LEFT - 8, y + 4, number(tick), size=10, anchor="end", fill="#444444")
    for tick in _decades(first, last):
        x = at(tick, low)[0]
        svg.line(x, top, x, bottom, stroke=LIGHT)
        svg.text(x, bottom + 16, number(tick), size=10, anchor="middle", fill="#444444")
    for i, points in enumerate(drawn.values()):
        if points:
            svg.path(_stairs([*points, (last, points[-1][1])], at), stroke=colour(i), dash=("", "7 3", "2 3")[i // 6 % 3])
            for x, y in points[:40]:
                svg.circle(*at(x, y), 2.6, fill=colour(i))
    svg.text(LEFT + WIDE / 2, bottom + 36, f"{unit} (logarithmic)", anchor="middle")
    svg.text(20, top + HIGH / 2, "gap, %", anchor="middle", turn=-90)
    entries = [(colour(i), f"{name}{'' if points else ' (no answer)'}") for i, (name, points) in enumerate(drawn.items())]
    legend(svg, LEFT, bottom + 62, entries, WIDE - width_of("  ", 11))
    return svg.text_of()


def _stairs(points: Points, at) -> list[tuple[float, float]]:
    path = [at(*points[0])]
    for (_, before), (x, y) in pairwise(points):
        path += [at(x, before), at(x, y)]
    return path


def _decades(first: float, last: float) -> list[float]:
    """1, 2, 5, 10, ... where there is room for all of them; else powers of ten."""
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    factors = (1, 2, 5) if last / first < 1000 else (1,)
    return [factor * 10.0**power for power in powers for factor in factors if first <= factor * 10.0**power <= last * (1 + 1e-9)]
