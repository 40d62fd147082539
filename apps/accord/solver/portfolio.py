"""One instance from the quick rule to the proof: each method begins where the others stopped, and the best so far is always there."""

from collections.abc import Callable

from apps.accord.solver.clock import Clock
from apps.accord.solver.incumbent import Incumbent
from apps.accord.solver.recipe import MODEL, RECIPES, RULES
from datamodules.accord.bounds import bound
from datamodules.accord.errors import UnsupportedError
from datamodules.accord.references import METHODS
from datamodules.errors import MissingDependencyError

__all__ = ["Decoder", "portfolio", "quick_bound", "rule_and_search", "run_method"]

FOREIGN = ("exact", "cpsat", "routing")  # they may call back from C, through which nothing can be raised; they prove by themselves
SLOW_BOUNDS = frozenset({"tsp", "cvrp"})
SECONDS_A_NODE = 1 / 1000  # that their bounds take on a busy core
Decoder = Callable[[Incumbent, float | None], None]  # the network's turn: until when; it offers what it finds


class _Enough(Exception):  # noqa: N818
    """The bound is reached: what goes on searching does not know it."""


def portfolio(incumbent: Incumbent, clock: Clock, seed: int, decoder: Decoder | None) -> None:
    """Rule, network, search, exact methods, until nothing better can come or the clock says so."""
    kind = incumbent.instance.kind
    _answer_first(incumbent, clock, seed)
    for place, stage in enumerate(RECIPES[kind]):
        if incumbent.done or clock.over():
            return
        if not stage.has_turn(incumbent.instance, clock.limit is not None, clock.left()):
            continue
        if stage.method == MODEL:
            if decoder is not None:
                decoder(incumbent, clock.until(stage.share))
        elif stage.method in METHODS[kind]:
            run_method(incumbent, stage.method, clock.until(stage.share), seed + place)


def rule_and_search(incumbent: Incumbent, clock: Clock, seed: int) -> None:
    """The classical side alone: the rule, then local search."""
    _answer_first(incumbent, clock, seed)
    if not incumbent.done and not clock.over() and "local" in METHODS[incumbent.instance.kind]:
        run_method(incumbent, "local", clock.deadline, seed)


def _answer_first(incumbent: Incumbent, clock: Clock, seed: int) -> None:
    """The bound comes second: it takes longer than the rule."""
    run_method(incumbent, RULES[incumbent.instance.kind], clock.deadline, seed)
    if not clock.over():
        incumbent.tighten(bound(incumbent.instance))


def quick_bound(incumbent: Incumbent, room: float) -> None:
    """The bound, where it takes no more than `room` seconds: what is cut before its end has one beside it all the same."""
    instance = incumbent.instance
    if instance.kind not in SLOW_BOUNDS or instance.size * SECONDS_A_NODE <= room:
        incumbent.tighten(bound(instance))


def run_method(incumbent: Incumbent, name: str, deadline: float | None, seed: int, *, needed: bool = False) -> None:
    """What it finds is offered as it is found. What it lacks here is an error only where it was asked for by name (`needed`)."""
    instance = incumbent.instance

    def found(plan: tuple, objective: int) -> None:
        incumbent.offer(plan, name, objective)
        if incumbent.done and name not in FOREIGN:
            raise _Enough

    try:
        solution = METHODS[instance.kind][name](instance, deadline=deadline, seed=seed, start=incumbent.plan, found=found)
    except _Enough:
        return
    except (MissingDependencyError, UnsupportedError):
        if needed:
            raise
        return
    if solution.plan is not None:
        incumbent.offer(solution.plan, name, solution.objective)
    if solution.status == "infeasible":
        incumbent.infeasible = solution.reason or f"{name} proved that there is no plan"
    elif solution.status == "optimal":
        incumbent.tighten(solution.objective)
    incumbent.tighten(solution.bound)
