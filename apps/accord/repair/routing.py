"""Routes: the fewest customers leave an overloaded one, and go where they cost least; the fleet is kept."""

from typing import Any

import numpy as np

from apps.accord.repair.lists import Change, items_of, once
from apps.accord.repair.packing import fewest_out
from apps.accord.repair.sequence import cheapest_place
from datamodules.accord.instances import CVRP
from datamodules.accord.references import METHODS
from datamodules.accord.solution import Plan

__all__ = ["mend_routes"]


def mend_routes(instance: CVRP, plan: Any) -> tuple[Plan | None, list[Change]]:
    """None: nothing that fits the fleet was found."""
    changes: list[Change] = []
    seen: set[int] = set()
    customers = range(1, instance.size + 1)
    parts = [[entry for entry in items_of(part) if entry != 0] for part in items_of(plan)]
    if any(entry == 0 for part in items_of(plan) for entry in items_of(part)):
        changes.append(Change("removed", (0,), "the depot stood in a route; it is implied: left out"))
    routes = [route for route in (once(part, customers, "customer", seen, changes, instance.label) for part in parts) if route]
    homeless = {customer: "was missing" for customer in customers if customer not in seen}
    for route in routes:
        excess = int(instance.demands[route].sum()) - instance.capacity
        for customer in fewest_out(route, instance.demands, _savings(instance.distances, route), excess):
            route.remove(customer)
            homeless[customer] = "was too much for its route"
    while instance.fleet is not None and len(routes) > instance.fleet:  # the route with the fewest customers goes
        for customer in routes.pop(min(range(len(routes)), key=lambda i: len(routes[i]))):
            homeless[customer] = "was in a route above the fleet"
    told = dict(homeless)
    while not _place(instance, routes, homeless, told, changes):
        if len(routes) < 1:
            return _afresh(instance, changes)
        # What is homeless does not fit beside the routes as they are: the one with the fewest customers is planned anew as well.
        for customer in routes.pop(min(range(len(routes)), key=lambda i: len(routes[i]))):
            told[customer] = "was in the way"
            homeless[customer] = told[customer]
    return tuple(tuple(route) for route in routes if route), changes


def _place(instance: CVRP, routes: list[list[int]], homeless: dict[int, str], told: dict[int, str], changes: list[Change]) -> bool:
    """All of them or none: the largest first, each where it costs least, else where the room is tightest, so that the others fit."""
    for tight in (False, True):
        trial = [list(route) for route in routes]
        done = []
        for customer in sorted(homeless, key=lambda one: -int(instance.demands[one])):
            where = _best_route(instance, trial, customer, tight)
            if where is None:
                break
            if where == len(trial):
                trial.append([])
            trial[where].insert(cheapest_place(instance.distances, trial[where], customer, depot=0)[1], customer)
            what = "added" if told[customer] == "was missing" else "moved"
            done.append(Change(what, (customer, where), f"customer {instance.label(customer)} {told[customer]}: served by route {where}"))
        else:
            routes[:] = trial
            changes += done
            return True
    return False


def _best_route(instance: CVRP, routes: list[list[int]], customer: int, tight: bool) -> int | None:
    """A new route only where no other has room, or where it is cheaper and the fleet is free."""
    demand = int(instance.demands[customer])
    room = [instance.capacity - int(instance.demands[route].sum()) if route else instance.capacity for route in routes]
    fits = [which for which in range(len(routes)) if room[which] >= demand]
    if fits and tight:
        return min(fits, key=lambda which: room[which])
    if fits:
        return min(fits, key=lambda which: cheapest_place(instance.distances, routes[which], customer, depot=0)[0])
    return len(routes) if instance.fleet is None or len(routes) < instance.fleet else None


def _savings(distances: np.ndarray, route: list[int]) -> np.ndarray:
    """What a detour to each customer costs, negated: among equally few the one that saves most leaves. Of the others 0."""
    costs = np.zeros(len(distances), np.int64)
    for before, customer, after in zip([0, *route], route, [*route[1:], 0], strict=False):
        costs[customer] = distances[before, after] - distances[before, customer] - distances[customer, after]
    return costs


def _afresh(instance: CVRP, changes: list[Change]) -> tuple[Plan | None, list[Change]]:
    """Nothing of the routes could be kept within the fleet."""
    solution = METHODS["cvrp"]["savings"](instance, deadline=None, seed=0)
    if solution.plan is None:
        return None, changes
    return solution.plan, [
        *changes,
        Change("replanned", (), "the customers did not fit into the fleet beside any of the routes: all are new"),
    ]
