"""Reference methods of the six kinds: rules, local search, exact methods and OR-Tools, all behind one signature."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from datamodules.accord.instances import Instance
from datamodules.accord.references import binpack, cvrp, jssp, knapsack, pfsp, tsp
from datamodules.accord.references.attempt import Attempt, Found, Method, as_method
from datamodules.accord.solution import Plan

if TYPE_CHECKING:
    from torch import Tensor

    from datamodules.accord.packs import Pack

__all__ = ["METHODS", "Method", "batch_labels", "improve"]

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


def batch_labels(kind: str, pack: "Pack", seed: int = 0) -> "Tensor":
    """(B,N) plans of a batch at thousands a second, -1 behind a plan's end. Only tsp has such a heuristic, for symmetric distances."""
    if kind != "tsp":
        raise ValueError(f"no batched heuristic for {kind}: use METHODS")
    from datamodules.accord.references.tsp.batch import batch_tours  # brings torch, which the other methods do without

    return batch_tours(pack, seed)
