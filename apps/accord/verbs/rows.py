"""An answer as a line of JSON: the plan in the instance's own ids, and everything that is known of it."""

import json
from typing import Any

from apps.accord.numbers import scale_of
from apps.accord.reading import Given
from datamodules.accord.gaps import comparable_best, gap
from datamodules.accord.instances import CVRP
from datamodules.accord.solution import Solution

__all__ = ["answer_line", "answer_row"]


def answer_row(given: Given, solution: Solution) -> dict[str, Any]:
    """Integers are of the instance's scale: the real value is objective / scale. What took time (`wall`, the trace) is told to people and in
    --trace alone, so that the same seed gives the same bytes."""
    row: dict[str, Any] = {"type": "solution", "name": given.name, "kind": solution.kind or None, "status": solution.status}
    if solution.plan is None or given.instance is None:
        return row | {"reason": solution.reason}
    row |= {"objective": solution.objective, "scale": scale_of(given.instance), "bound": solution.bound}
    best = comparable_best(given.instance)
    if best is not None and solution.objective is not None:
        row |= {"best": best, "gap": round(gap(given.instance, solution.objective, best), 6)}
    if isinstance(given.instance, CVRP):
        row |= {"fleet": given.instance.fleet, "vehicles": len([route for route in solution.plan if route])}
    return row | {"source": solution.source, "plan": _plain(solution.plan)}


def answer_line(given: Given, solution: Solution) -> str:
    return json.dumps(answer_row(given, solution), ensure_ascii=False) + "\n"


def _plain(plan: Any) -> Any:
    return [_plain(part) for part in plan] if isinstance(plan, list | tuple) else int(plan)
