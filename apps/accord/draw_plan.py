"""A plan as a picture, whichever kind it is of: what `solve --plot` writes."""

from collections.abc import Callable
from typing import Any

from apps.accord.draw_bins import draw_bins
from apps.accord.draw_fill import draw_fill
from apps.accord.draw_gantt import draw_flow_shop, draw_job_shop
from apps.accord.draw_routes import draw_rounds, draw_tour
from apps.accord.numbers import plainly, scale_of
from datamodules.accord.gaps import gap
from datamodules.accord.instances import MAXIMISED, Instance
from datamodules.accord.solution import Solution

__all__ = ["draw_plan"]

UNITS = {"tsp": "length", "cvrp": "length", "knapsack": "value", "binpack": "bins", "pfsp": "makespan", "jssp": "makespan"}


def draw_plan(instance: Instance, solution: Solution, best: int | None = None) -> str:
    """SVG text; of an answer without a plan a picture that says so. `best`: what the gap is told against."""
    draw: Callable[[Any, Any, str, str], str] = _DRAWERS[instance.kind] if solution.plan is not None else _nothing
    return draw(instance, solution.plan, instance.name or instance.kind, _summary(instance, solution, best))


def _summary(instance: Instance, solution: Solution, best: int | None) -> str:
    if solution.objective is None:
        return f"{solution.status}: {solution.reason}"
    scale = scale_of(instance)
    words = [f"{UNITS[instance.kind]} {plainly(solution.objective, scale)}", solution.status]
    if best is not None:
        words.append(f"{gap(instance, solution.objective, best):+.2f} % from the best known {plainly(best, scale)}")
    elif solution.bound is not None and solution.status != "optimal":
        words.append(f"{'at most' if instance.kind in MAXIMISED else 'at least'} {plainly(solution.bound, scale)}")
    if solution.source:
        words.append(f"by {solution.source}")
    return ", ".join(words)


def _nothing(instance: Instance, _: object, name: str, summary: str) -> str:
    from apps.base.svg import Svg

    svg = Svg(640, 90, f"{name}: no plan")
    svg.head(f"{name}: no plan", summary)
    return svg.text_of()


_DRAWERS: dict[str, Callable[[Any, Any, str, str], str]] = {
    "tsp": draw_tour,
    "cvrp": draw_rounds,
    "knapsack": draw_fill,
    "binpack": draw_bins,
    "pfsp": draw_flow_shop,
    "jssp": draw_job_shop,
}
