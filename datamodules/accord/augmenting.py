"""The same problem seen otherwise, with its plan (ACCORD brief 3.1 and 3.3): another feasible plan, and no worse.

tsp, cvrp: the square's symmetries and a turn by any angle, of the coordinates alone (distances are what they were); the tour from another
node, in the other direction; routes from another on. knapsack, binpack: items in another order, sizes and capacity times the same number.
pfsp: jobs renamed; time reversed. jssp: jobs and machines renamed; time reversed, and then as early as it goes.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from datamodules.accord.active import left_shifted
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["arrange", "augment"]

FACTORS = 7  # ours: sizes are multiplied by 1 to 7


def augment(instance: Instance, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    """A problem of equal worth, and a plan of it that is no worse."""
    return _AUGMENTED[instance.kind](instance, plan, rng)


def arrange(instance: Instance, plan: Plan, rng: np.random.Generator | None = None) -> Plan:
    """The plan in the order that is taught: routes by the polar angle of their middle, operations as early as they go. With `rng` routes
    begin from any angle, and a tour from any node in any direction. A route goes the way round in which the routes follow one another. Only
    where distances are the same both ways is a direction changed."""
    if instance.kind == "tsp":
        return _tour(instance, plan, rng)
    if instance.kind == "cvrp":
        return _routes(instance, plan, rng)
    return left_shifted(instance.jobs, plan) if isinstance(instance, JobShop) else plan


def _symmetric(instance: Any) -> bool:
    return bool((instance.distances == instance.distances.T).all())


def _tour(instance: Any, plan: Plan, rng: np.random.Generator | None) -> Plan:
    if rng is None:
        return plan
    first, back = int(rng.integers(len(plan))), bool(rng.random() < 0.5)
    turned = (*plan[first:], *plan[:first])
    return tuple(reversed(turned)) if back and _symmetric(instance) else turned


def _routes(instance: Any, plan: Plan, rng: np.random.Generator | None) -> Plan:
    symmetric = _symmetric(instance)
    if instance.xy is None:  # no middle: any order, or that of the smallest customers; any direction
        order = np.argsort([min(route) for route in plan]) if rng is None else rng.permutation(len(plan))
        back = np.zeros(len(plan), bool) if rng is None else rng.random(len(plan)) < 0.5
        return tuple(tuple(reversed(plan[i])) if back[i] and symmetric else tuple(plan[i]) for i in order)
    start = 0.0 if rng is None else float(rng.uniform(0, 2 * math.pi))
    middles = np.array([instance.xy[list(route)].mean(0) for route in plan]).reshape(-1, 2) - instance.xy[0]
    angles = (np.arctan2(middles[:, 1], middles[:, 0]) - start) % (2 * math.pi)
    return tuple(_round(instance, plan[i]) if symmetric else tuple(plan[i]) for i in np.argsort(angles, kind="stable"))


def _round(instance: Any, route: tuple[int, ...]) -> tuple[int, ...]:
    """The route in the direction in which the routes follow one another. ours: with any direction a network learns to guess."""
    corners = instance.xy[[0, *route]] - instance.xy[0]
    after = np.roll(corners, -1, 0)
    area = float((corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]).sum())
    return tuple(reversed(route)) if area < 0 else tuple(route)


def _moved(xy: np.ndarray | None, rng: np.random.Generator) -> np.ndarray | None:
    """Turned by any angle, and mirrored half of the time: the square's eight symmetries are among these."""
    angle, mirrored = float(rng.uniform(0, 2 * math.pi)), bool(rng.random() < 0.5)
    if xy is None:
        return None
    cos, sin = math.cos(angle), math.sin(angle)
    centred = xy - (xy.min(0) + xy.max(0)) / 2
    if mirrored:
        centred = centred[:, ::-1]
    return centred @ np.array([[cos, sin], [-sin, cos]])


def _places(instance: TSP | CVRP, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    moved = replace(instance, xy=_moved(instance.xy, rng))
    return moved, arrange(moved, plan, rng)


def _knapsack(instance: Knapsack, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    order, factor = rng.permutation(instance.size), int(rng.integers(1, FACTORS + 1))
    place = np.argsort(order)
    weights = instance.weights[order] * factor
    other = replace(instance, values=instance.values[order], weights=weights, capacity=instance.capacity * factor, labels=())
    return other, tuple(sorted(int(place[item]) for item in plan))


def _binpack(instance: BinPacking, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    order, factor = rng.permutation(instance.size), int(rng.integers(1, FACTORS + 1))
    place = np.argsort(order)
    other = replace(instance, weights=instance.weights[order] * factor, capacity=instance.capacity * factor, labels=())
    return other, tuple(tuple(sorted(int(place[item]) for item in items)) for items in plan)


def _pfsp(instance: FlowShop, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    order, back = rng.permutation(instance.size), bool(rng.random() < 0.5)
    place = np.argsort(order)
    times, jobs = instance.times[order], tuple(int(place[job]) for job in plan)
    other = replace(instance, times=times[:, ::-1] if back else times, labels=(), machine_labels=())
    return other, jobs[::-1] if back else jobs


def _jssp(instance: JobShop, plan: Plan, rng: np.random.Generator) -> tuple[Instance, Plan]:
    order, names, back = rng.permutation(instance.size), rng.permutation(instance.machines), bool(rng.random() < 0.5)
    jobs = tuple(tuple((int(names[machine]), time) for machine, time in instance.jobs[j]) for j in order)
    starts = tuple(tuple(int(start) for start in plan[j]) for j in order)
    if back:
        end = max(start + time for job, begun in zip(jobs, starts, strict=True) for (_, time), start in zip(job, begun, strict=True))
        starts = tuple(
            tuple(end - start - time for (_, time), start in zip(reversed(job), reversed(begun), strict=True))
            for job, begun in zip(jobs, starts, strict=True)
        )
        jobs = tuple(tuple(reversed(job)) for job in jobs)
    other = replace(instance, jobs=jobs, labels=(), machine_labels=())
    return other, arrange(other, starts)


_AUGMENTED: dict[str, Callable[..., tuple[Instance, Plan]]] = {
    "tsp": _places,
    "cvrp": _places,
    "knapsack": _knapsack,
    "binpack": _binpack,
    "pfsp": _pfsp,
    "jssp": _jssp,
}
