"""Clarke and Wright's savings: routes of one customer each are joined, end to end, where that saves most."""

import numpy as np

from datamodules.accord.instances import CVRP
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.cvrp.fleet import packed
from datamodules.accord.references.tsp.construct import symmetric

__all__ = ["joined", "savings"]

SHAPES = (1.0, 0.7, 1.3, 0.4, 1.6)  # Yellow's weight of the edge between; the later ones only while there are too many routes


def savings(attempt: Attempt) -> None:
    """At most the fleet's routes: another weight where the first needs more, and at last the routes of a packing."""
    instance = attempt.instance
    for shape in SHAPES:
        routes = joined(instance, shape)
        if instance.fleet is None or len(routes) <= instance.fleet:
            attempt.offer(tuple(tuple(route) for route in routes))
            return
        if attempt.over():
            break
    packed(attempt)


def joined(instance: CVRP, shape: float = 1.0) -> list[list[int]]:
    distances, demands = instance.distances, instance.demands.tolist()
    count, both = instance.size, symmetric(instance.distances)
    saved = distances[1:, :1] + distances[:1, 1:] - shape * distances[1:, 1:]
    tails, heads = np.triu_indices(count, 1) if both else np.nonzero(~np.eye(count, dtype=bool))
    worth = saved[tails, heads]
    ranks = np.argsort(-worth, kind="stable")
    ranks = ranks[worth[ranks] > 0] if instance.fleet is None else ranks
    routes: dict[int, list[int]] = {c: [c] for c in range(1, count + 1)}
    route_of = list(range(count + 1))
    loads = list(demands)
    limit = instance.fleet or 0
    for a, b in zip((tails[ranks] + 1).tolist(), (heads[ranks] + 1).tolist(), strict=True):
        at, to = route_of[a], route_of[b]
        if at == to or loads[at] + loads[to] > instance.capacity:
            continue
        first, second = routes[at], routes[to]
        if both:  # turn them so that a ends the first and b begins the second
            if first[-1] != a and first[0] == a:
                first = first[::-1]
            if second[0] != b and second[-1] == b:
                second = second[::-1]
        if first[-1] != a or second[0] != b:
            continue
        if len(routes) <= limit and distances[a, 0] + distances[0, b] <= distances[a, b]:
            continue  # within the fleet: only what saves
        routes[at] = first + second
        loads[at] += loads[to]
        for c in second:
            route_of[c] = at
        del routes[to]
    return list(routes.values())
