"""Tours and routes: on the plane where there are coordinates, else as lines on which every stop stands at the distance driven so far."""

from collections.abc import Sequence

import numpy as np

from apps.accord.draw_driven import draw_driven
from apps.accord.numbers import counted, plainly
from apps.base.svg import INK, Svg, colour, legend, shorten
from datamodules.accord.instances import CVRP, TSP
from datamodules.accord.solution import Plan

__all__ = ["draw_rounds", "draw_tour"]

SIDE = 600.0  # of the longer side of the plane
NAMED = 60  # nodes up to which each bears its number


def draw_tour(instance: TSP, plan: Plan, name: str, summary: str) -> str:
    if instance.xy is None:
        return draw_driven(instance.distances, [(*plan, plan[0])], name, summary, instance.scale, None, instance.label)
    at = _Plane(instance.xy)
    svg = Svg(at.width, at.height + 96, f"tour of {name}")
    top = svg.head(f"{name}: a tour of {counted(instance.size, 'node')}", summary)
    points = [at(node, top) for node in plan]
    svg.path(points, stroke=colour(0), closed=True)
    _arrow(svg, points, colour(0))
    for node in range(instance.size):
        _node(
            svg,
            *at(node, top),
            f"node {instance.label(node)}",
            instance.label(node) if instance.size <= NAMED else "",
            at.radius,
            colour(1) if node == plan[0] else INK,
        )
    legend(
        svg,
        16,
        at.height + 84,
        [(colour(1), f"start: node {instance.label(plan[0])}"), (INK, "nodes" if instance.labels else "nodes, counted from 0")],
        at.width - 32,
    )
    return svg.text_of()


def draw_rounds(instance: CVRP, plan: Plan, name: str, summary: str) -> str:
    routes = [list(route) for route in plan if len(route)]
    loads = [int(instance.demands[route].sum()) for route in routes]
    rule = "free fleet" if instance.fleet is None else f"at most {instance.fleet}"
    title = f"{name}: {counted(len(routes), 'route')} ({rule}), {counted(instance.size, 'customer')}"
    if instance.xy is None:
        rounds = [(0, *route, 0) for route in routes]
        return draw_driven(instance.distances, rounds, title, summary, instance.scale, (loads, instance.capacity), instance.label)
    at = _Plane(instance.xy)
    entries = [(colour(i), f"{i + 1}: {plainly(loads[i], 1)} of {instance.capacity}") for i in range(len(routes))]
    per_row = max(1, int((at.width - 32) / 130))
    svg = Svg(at.width, at.height + 100 + 18 * -(-len(entries) // per_row), f"routes of {name}")
    top = svg.head(title, summary)
    for i, route in enumerate(routes):
        points = [at(node, top) for node in (0, *route, 0)]
        svg.path(points[1:-1], stroke=colour(i), width=2.2, tip=f"route {i + 1}, load {loads[i]}")
        for a, b in (points[:2], points[-2:]):  # the legs from and to the depot are thin: they would hide what is near it
            svg.path([a, b], stroke=colour(i), width=0.9, dash="4 3")
        for node in route:
            label = instance.label(node) if instance.size <= NAMED else ""
            _node(
                svg,
                *at(node, top),
                f"customer {instance.label(node)}, asks for {instance.demands[node]}, route {i + 1}",
                label,
                at.radius,
                colour(i),
            )
    x, y = at(0, top)
    svg.rect(x - 7, y - 7, 14, 14, fill=INK, stroke="#FFFFFF", tip="depot")
    svg.text(16, at.height + 82, "load of each route; the square is the depot, legs from and to it are dashed", fill="#444444")
    legend(svg, 16, at.height + 102, entries, at.width - 32)
    return svg.text_of()


class _Plane:
    """Coordinates to the picture: y goes up, both axes alike."""

    def __init__(self, xy: np.ndarray) -> None:
        low, extent = xy.min(0), np.ptp(xy, 0)
        self.scale = SIDE / (float(extent.max()) or 1.0)
        wide, high = (max(float(side) * self.scale, 40.0) for side in extent)
        self.margin = max(30.0, (420 - wide) / 2)
        self.width, self.height = wide + 2 * self.margin, high + 60
        self.places = [(self.margin + (x - low[0]) * self.scale, 30 + high - (y - low[1]) * self.scale) for x, y in xy]
        self.radius = 5.0 if len(xy) <= NAMED else 3.2

    def __call__(self, node: int, top: float) -> tuple[float, float]:
        x, y = self.places[node]
        return x, y + top - 18


def _node(svg: Svg, x: float, y: float, tip: str, label: str, radius: float, paint: str) -> None:
    svg.circle(x, y, radius, fill=paint, tip=tip)
    if label:
        svg.text(x + radius + 1.5, y - radius, shorten(label, 9.5, 80), size=9.5)


def _arrow(svg: Svg, points: Sequence[tuple[float, float]], paint: str) -> None:
    """The way round, on the first leg that is long enough."""
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], *points[:1]], strict=True):
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length > 30:
            ux, uy = (x1 - x0) / length, (y1 - y0) / length
            mx, my = (x0 + x1) / 2 + 5 * ux, (y0 + y1) / 2 + 5 * uy
            back = [(mx - 11 * ux - 5 * uy * turn, my - 11 * uy + 5 * ux * turn) for turn in (1, -1)]
            svg.path([back[0], (mx, my), back[1]], stroke=paint, width=2.6)
            return
