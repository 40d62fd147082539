"""The rows of the tables: what is ours, the classical rules, and the solvers at the same wall time: one problem after the other.

`free` and `best of 16 free` decode without masks, as the paper does: what breaks a rule counts as no answer.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.accord.solver import Solver
from apps.accord.solver.clock import Clock
from apps.accord.solver.incumbent import Incumbent
from apps.accord.solver.portfolio import portfolio
from apps.accord.solver.watched import watched
from benchmarks.accord.answered import Answered, Many, each
from benchmarks.accord.networks import Networks
from benchmarks.accord.peers.beside import KINDS as PYVRP_KINDS
from benchmarks.accord.peers.beside import PyVRP
from datamodules.accord.instances import Instance
from datamodules.accord.references import METHODS, improve
from datamodules.accord.solution import Solution

__all__ = ["OPEN", "PLACED", "QUICK", "STARTED", "TWENTY", "Row", "learned", "made", "quick", "timed", "warmed"]

STARTED, PLACED = ("tsp", "cvrp", "pfsp"), ("tsp", "cvrp")  # kinds with first decisions to try; kinds on a plane
SAMPLES = (16, 64, 128)
STARTS = 10_000  # every one that there is
TWENTY = "20 starts x 8"
OPEN = ("free", "best of 16 free")  # rows that may break rules
QUICK: dict[str, tuple[str, ...]] = {  # the classical rules: to their own end, in milliseconds
    "tsp": ("nearest", "greedy_edge", "two_opt"),
    "cvrp": ("savings", "savings_descended"),
    "knapsack": ("density",),
    "binpack": ("ffd", "bfd", "slack"),
    "pfsp": ("neh",),
    "jssp": ("mwkr", "spt", "mor", "rules"),
}
ORTOOLS = {"tsp": ("routing", "cpsat"), "cvrp": ("routing", "cpsat")}


class Row(NamedTuple):
    name: str
    answer: Many
    climbs: bool = False  # its plans are also taken down to a local optimum, in columns of their own
    few: bool = False  # asked as few problems as what has a time limit


def made(row: Row, instances: Sequence[Instance]) -> tuple[list[Solution], dict[str, Any]]:
    """What it answers, and as cells; where it climbs, with the same plans after a descent beside them."""
    solutions = row.answer(instances)
    answered = Answered.of(instances, solutions)
    if not row.climbs:
        return solutions, {"answered": answered.text()}
    climbed = []
    for instance, solution in zip(instances, solutions, strict=True):
        began = time.monotonic()
        plan = None if solution.plan is None else improve(instance, solution.plan, None)
        climbed.append(solution.__class__(kind=instance.kind, plan=plan, objective=None, status="feasible", wall=time.monotonic() - began))
    return solutions, {"answered": answered.text(), "descended": Answered.of(instances, climbed).text()}


def learned(kind: str, networks: Networks) -> list[Row]:
    """By the network alone; `samples` and `starts` count the greedy answer, too."""
    ours, untrained, drawn = (Solver(network) for network in (networks.trained, networks.untrained, networks.random))
    rows = [_decoded(ours, "greedy", climbs=True)]
    if kind in STARTED:
        rows.append(_decoded(ours, "every start", starts=STARTS, climbs=True))
    if kind in PLACED:
        rows.append(_decoded(ours, "every start x 8", starts=STARTS, augment=8))
        rows.append(_decoded(ours, TWENTY, starts=20, augment=8))
    rows += [_decoded(ours, f"{count} samples", samples=count, climbs=count == SAMPLES[0]) for count in SAMPLES]
    rows += [_decoded(ours, name, samples=count, masked=False) for name, count in zip(OPEN, (1, 16), strict=True)]
    for name, solver in (("untrained", untrained), ("random weights", drawn)):
        rows += [_decoded(solver, f"{name}, greedy"), _decoded(solver, f"{name}, 128 samples", samples=128)._replace(few=True)]
    return rows


def _decoded(
    solver: Solver, name: str, samples: int = 1, starts: int = 1, augment: int = 1, climbs: bool = False, masked: bool = True
) -> Row:
    return Row(
        name,
        lambda instances: solver.solve(instances, method="model", samples=samples, starts=starts, augment=augment, masked=masked),
        climbs,
    )


def quick(kind: str) -> list[Row]:
    return [Row(name, each(lambda one, name=name: METHODS[kind][name](one)), climbs=True) for name in QUICK[kind]]


def timed(kind: str, networks: Networks, seconds: float, pyvrp: PyVRP | None, *, all_of_ours: bool = True) -> list[Row]:
    """Each ends when it has a proof, or after so many seconds."""
    ours = Solver(networks.trained)
    rows = [
        Row("portfolio", each(lambda one: ours.solve([one], method="portfolio", time_limit=seconds)[0])),
        Row("portfolio, no network", each(lambda one: _without(one, seconds))),
    ]
    if all_of_ours:
        rows.append(Row("network alone", each(lambda one: ours.solve([one], method="model", time_limit=seconds)[0])))
        rows += [_named(kind, name, f"ours, {name}", seconds) for name in ("local", "exact")]
    rows += [_named(kind, name, f"OR-Tools, {name}", seconds) for name in ORTOOLS.get(kind, ("cpsat",))]
    if pyvrp is not None and kind in PYVRP_KINDS:
        rows.append(Row("PyVRP", each(lambda one: pyvrp.solve(one, seconds))))
    return rows


def _named(kind: str, method: str, name: str, seconds: float) -> Row:
    return Row(name, each(lambda one: METHODS[kind][method](one, deadline=time.monotonic() + seconds)))


def _without(instance: Instance, seconds: float) -> Solution:
    """The portfolio whose network has no turn."""
    clock = Clock(seconds)
    incumbent = Incumbent(instance, clock)
    watched(lambda: portfolio(incumbent, clock, 0, None), clock, None, lambda: incumbent.plan is not None)
    return incumbent.close()


def warmed(kind: str, small: Instance, networks: Networks) -> None:
    """What is imported on first use is not counted in the first row: torch, OR-Tools, SciPy."""
    Solver(networks.trained).solve([small], method="portfolio", time_limit=5.0)
    for name in ("exact", *ORTOOLS.get(kind, ("cpsat",))):
        METHODS[kind][name](small, deadline=time.monotonic() + 0.2)
