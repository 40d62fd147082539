"""How far an answer is from the best known one, in per cent; and the two ways of averaging that papers mix (section 5.4 of the brief)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from datamodules.accord.instances import CVRP, MAXIMISED, Instance

__all__ = ["Gaps", "comparable_best", "gap", "gap_to_best", "gaps"]


@dataclass(frozen=True)
class Gaps:
    """`count` answers, of which a share is feasible. Both averages are over the feasible ones; nan where there is none."""

    count: int
    feasible: float
    mean: float  # of the gaps of the instances
    of_means: float  # gap of the mean values
    with_fallback: float | None = None  # mean of the gaps where an infeasible answer counts as its fallback


def gap(instance: Instance, objective: int, best: int) -> float:
    """Per cent above the best (knapsack: below it). Signed: better than the best known is negative. b = 0: 0 if v = 0, else infinite."""
    return _gap(instance.kind, objective, best)


def comparable_best(instance: Instance) -> int | None:
    """The best known value, if it was found under this instance's rules: routes of another fleet rule are not compared."""
    if isinstance(instance, CVRP) and instance.fleet != instance.named_fleet:
        return None
    return instance.best


def gap_to_best(instance: Instance, objective: int | None) -> float | None:
    best = comparable_best(instance)
    return None if best is None or objective is None else gap(instance, objective, best)


def gaps(
    instances: Sequence[Instance], objectives: Sequence[int | None], bests: Sequence[int], fallbacks: Sequence[int] | None = None
) -> Gaps:
    """Of instances of one kind. An objective of None: the answer was infeasible. fallbacks: what counts in its place (a greedy rule's)."""
    if not instances or len({instance.kind for instance in instances}) > 1:
        raise ValueError("gaps are averaged over instances of one kind, at least one")
    kind = instances[0].kind
    pairs = [(v, b) for v, b in zip(objectives, bests, strict=True) if v is not None]
    mean = math.fsum(_gap(kind, v, b) for v, b in pairs) / len(pairs) if pairs else math.nan
    of_means = _gap(kind, sum(v for v, _ in pairs), sum(b for _, b in pairs)) if pairs else math.nan
    replaced = None
    if fallbacks is not None:
        values = [f if v is None else v for v, f in zip(objectives, fallbacks, strict=True)]
        replaced = math.fsum(_gap(kind, v, b) for v, b in zip(values, bests, strict=True)) / len(values)
    return Gaps(len(instances), len(pairs) / len(instances), mean, of_means, replaced)


def _gap(kind: str, objective: int, best: int) -> float:
    difference = int(best) - int(objective) if kind in MAXIMISED else int(objective) - int(best)
    if best == 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return 100 * difference / int(best)
