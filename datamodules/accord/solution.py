"""An answer to a problem: what is done, what it costs, and how sure we are."""

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Plan", "Solution", "Status"]

# By kind: tsp the nodes in order; cvrp routes of customers (1..N, without the depot); knapsack the items taken, ascending; binpack bins of
# items; pfsp the jobs in order; jssp the start of each operation, job by job. Nodes, items, jobs and machines are counted from 0.
Plan = tuple[Any, ...]

# optimal: proven. feasible: complete and checked, not proven. infeasible: proven that there is none. unknown: time was over before the
# first answer. refused: not understood, or outside the six kinds. invalid: bad input.
Status = Literal["optimal", "feasible", "infeasible", "unknown", "refused", "invalid"]


@dataclass(frozen=True)
class Solution:
    kind: str
    plan: Plan | None
    objective: int | None
    status: Status
    bound: int | None = None  # no plan is better than this
    wall: float = 0.0  # seconds
    source: str = ""  # which method found it
    reason: str = ""  # why there is no plan
    trace: tuple[tuple[float, int, str], ...] = ()  # (seconds, objective, source) of each answer that was better than the one before
