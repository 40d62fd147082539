"""`repair(instance, plan)`: the rules of each kind, and the proof by the checker at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.accord.errors import InternalInfeasibleError
from apps.accord.repair.job_shop import mend_job_shop
from apps.accord.repair.lists import Change
from apps.accord.repair.packing import mend_bins, mend_knapsack
from apps.accord.repair.routing import mend_routes
from apps.accord.repair.sequence import mend_order, mend_tour
from datamodules.accord.bounds import fewest_vehicles
from datamodules.accord.checker import check
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan

__all__ = ["Repaired", "repair"]


@dataclass(frozen=True)
class Repaired:
    plan: Plan | None  # None: no plan was found that fits the fleet
    objective: int | None
    changes: tuple[Change, ...]  # empty: nothing was wrong
    impossible: bool = False  # proven: no plan exists

    @property
    def reason(self) -> str:
        if self.plan is not None:
            return ""
        if self.impossible:
            return "the demands need more vehicles than the fleet has; allow more with --fleet"
        return "no way was found to fit the customers into the fleet; allow more vehicles with --fleet"


def repair(instance: Instance, plan: Any) -> Repaired:
    """A plan that is feasible comes back as it is. Whatever a plan holds that is no number of ours is left out, and told."""
    report = check(instance, plan)
    if report.feasible:
        return Repaired(plan, report.objective, ())
    mended, changes = _MENDERS[instance.kind](instance, plan)
    if mended is None:
        return Repaired(None, None, tuple(changes), fewest_vehicles(instance) > (instance.fleet or instance.size))  # type: ignore[arg-type]
    report = check(instance, mended)
    if not report.feasible:
        raise InternalInfeasibleError(f"{instance.name or instance.kind}: the repaired plan breaks a rule: {report.violations[0]}")
    return Repaired(mended, report.objective, tuple(changes))


_MENDERS: dict[str, Callable[[Any, Any], tuple[Plan | None, list[Change]]]] = {
    "tsp": mend_tour,
    "cvrp": mend_routes,
    "knapsack": mend_knapsack,
    "binpack": mend_bins,
    "pfsp": mend_order,
    "jssp": mend_job_shop,
}
