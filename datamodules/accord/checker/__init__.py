"""An independent judge of plans: pure Python integers, written against the definitions, and code that nothing else shares.

report = check(instance, plan)
report.feasible, report.objective, report.violations
"""

from collections.abc import Callable, Sequence
from typing import Any

from datamodules.accord.checker import bins, flow_shop, job_shop, routes, sacks, tours
from datamodules.accord.checker.report import CODES, Report, Violation, whole
from datamodules.accord.gaps import gap_to_best
from datamodules.accord.instances import CVRP, Instance, Knapsack

__all__ = ["CODES", "Report", "Violation", "check"]

_JUDGES: dict[str, Callable[[Any, Any], tuple[list[Violation], int | None, int | None]]] = {
    "tsp": tours.judge,
    "cvrp": routes.judge,
    "knapsack": sacks.judge,
    "binpack": bins.judge,
    "pfsp": flow_shop.judge,
    "jssp": job_shop.judge,
}


def check(instance: Instance, plan: Any, declared: int | None = None, notes: Sequence[str] = ()) -> Report:
    """Judge a plan, whatever it is.

    declared: the objective that came with it; a wrong one is reported, and changes nothing. notes: what else its text states wrongly.
    """
    violations, objective, used = _JUDGES[instance.kind](instance, plan)
    feasible = not violations
    scale = instance.value_scale if isinstance(instance, Knapsack) else 1 if instance.kind == "binpack" else instance.scale
    return Report(
        kind=instance.kind,
        feasible=feasible,
        objective=objective,
        declared=whole(declared),
        violations=tuple(violations),
        used=used,
        gap=gap_to_best(instance, objective) if feasible else None,
        notes=(*_notes(instance, objective), *notes),
        scale=scale,
    )


def _notes(instance: Instance, objective: int | None) -> tuple[str, ...]:
    if not isinstance(instance, CVRP):
        return ()
    notes = [f"fleet rule: {'free' if instance.fleet is None else f'at most {instance.fleet} vehicles'}"]
    if instance.best is not None and instance.fleet != instance.named_fleet and objective is not None:
        rule = "a free fleet" if instance.named_fleet is None else f"{instance.named_fleet} vehicles"
        notes.append(f"the best known value {instance.best} is of {rule}: no gap is given")
    return tuple(notes)
