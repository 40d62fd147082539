"""Tours and jobs' orders: what is repeated or unknown goes, what is missing comes in where it costs least; all else keeps its place."""

from typing import Any

import numpy as np

from apps.accord.repair.lists import Change, items_of, once
from datamodules.accord.instances import TSP, FlowShop
from datamodules.accord.solution import Plan

__all__ = ["cheapest_place", "makespan", "mend_order", "mend_tour"]


def mend_tour(instance: TSP, plan: Any) -> tuple[Plan, list[Change]]:
    changes: list[Change] = []
    seen: set[int] = set()
    entries = items_of(plan)
    if len(entries) > 1 and entries[0] == entries[-1]:  # written as a closed round
        changes.append(Change("removed", (), "the return to the first node is implied: left out"))
        entries = entries[:-1]
    tour = once(entries, range(instance.size), "node", seen, changes, instance.label)
    for node in range(instance.size):
        if node not in seen:
            place = cheapest_place(instance.distances, tour, node)[1] if tour else 0
            tour.insert(place, node)
            changes.append(Change("added", (node,), f"node {instance.label(node)} was missing: visited {_after(instance, tour, place)}"))
    return tuple(tour), changes


def mend_order(instance: FlowShop, plan: Any) -> tuple[Plan, list[Change]]:
    changes: list[Change] = []
    seen: set[int] = set()
    order = once(items_of(plan), range(instance.size), "job", seen, changes, instance.label)
    missing = sorted(set(range(instance.size)) - seen, key=lambda job: -int(instance.times[job].sum()))  # long ones first, as NEH does
    for job in missing:
        ends = [(makespan(instance.times, [*order[:place], job, *order[place:]]), place) for place in range(len(order) + 1)]
        place = min(ends)[1]
        order.insert(place, job)
        changes.append(Change("added", (job,), f"job {instance.label(job)} was missing: done {_after(instance, order, place)}"))
    return tuple(order), changes


def cheapest_place(distances: np.ndarray, way: list[int], node: int, depot: int | None = None) -> tuple[int, int]:
    """(what it costs more, where to insert it). With a depot the way begins and ends there, else it is closed."""
    before = np.array([way[-1] if depot is None else depot, *way] if depot is not None else way)
    after = np.array([*way, depot] if depot is not None else [*way[1:], way[0]])
    costs = distances[before, node] + distances[node, after] - distances[before, after]
    place = int(costs.argmin())
    return int(costs[place]), place if depot is not None else place + 1


def makespan(times: np.ndarray, order: list[int]) -> int:
    ready = [0] * times.shape[1]
    for job in order:
        end = 0
        for machine, time in enumerate(times[job].tolist()):
            end = ready[machine] = max(end, ready[machine]) + time
    return ready[-1]


def _after(instance: TSP | FlowShop, order: list[int], place: int) -> str:
    return "first" if place == 0 else f"after {instance.label(order[place - 1])}"
