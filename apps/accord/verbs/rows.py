"""An answer as a line of JSON: what our own format holds of a solution, and what a reader of it wants to know beside it."""

import json
from typing import Any

from apps.accord.numbers import scale_of
from apps.accord.reading import Given
from datamodules.accord.bounds import fewest_vehicles
from datamodules.accord.formats.records import plan_record
from datamodules.accord.gaps import comparable_best, gap
from datamodules.accord.instances import CVRP
from datamodules.accord.solution import Solution

__all__ = ["answer_line", "answer_row"]

TIMED = ("wall", "trace")  # told to people and in --trace alone, so that the same seed gives the same bytes


def answer_row(given: Given, solution: Solution) -> dict[str, Any]:
    """Integers are of the instance's scale: the real value is objective / scale."""
    if given.instance is None:
        return {"kind": None, "instance": given.where, "plan": None, "status": solution.status, "reason": solution.reason}
    row = {name: value for name, value in plan_record(given.instance, solution).items() if name not in TIMED}
    row |= {"scale": scale_of(given.instance)}
    best = comparable_best(given.instance)
    if best is not None and solution.objective is not None:
        row |= {"best": best, "gap": round(gap(given.instance, solution.objective, best), 6)}
    if isinstance(given.instance, CVRP):
        used = len([route for route in solution.plan or () if route])
        row |= {"fleet": given.instance.fleet, "vehicles": used, "fewest_vehicles": fewest_vehicles(given.instance)}
    return row


def answer_line(given: Given, solution: Solution) -> str:
    return json.dumps(answer_row(given, solution), ensure_ascii=False) + "\n"
