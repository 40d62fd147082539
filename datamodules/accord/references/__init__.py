"""Reference methods of the six kinds: rules, local search, exact methods and OR-Tools, all behind one signature."""

from collections.abc import Callable

from datamodules.accord.instances import Instance
from datamodules.accord.references import binpack, cvrp, jssp, knapsack, pfsp, tsp
from datamodules.accord.references.attempt import Attempt, Found, Method, as_method
from datamodules.accord.solution import Plan

__all__ = ["METHODS", "Method", "improve"]

_KINDS = {"tsp": tsp, "cvrp": cvrp, "knapsack": knapsack, "binpack": binpack, "pfsp": pfsp, "jssp": jssp}

METHODS: dict[str, dict[str, Method]] = {
    kind: {name: as_method(name, run) for name, run in folder.RUNS.items()} for kind, folder in _KINDS.items()
}


def improve(instance: Instance, plan: Plan, deadline: float | None, seed: int = 0, found: Found | None = None) -> Plan:
    """Local search from a feasible plan; never worse. `deadline=None`: down to a local optimum."""
    attempt = Attempt(instance, "local", deadline, seed, plan, found)
    search: Callable[[Attempt, int | None], None] = _KINDS[instance.kind].search
    search(attempt, 0 if deadline is None else None)
    assert attempt.plan is not None
    return attempt.plan
