"""Routes: a forest of the customers and the legs to the depot, with multipliers; and what the capacity asks for by distance alone."""

import numpy as np

from datamodules.accord.bounds.bins import fewest_bins
from datamodules.accord.bounds.trees import room_to_scale, spanning_tree
from datamodules.accord.instances import CVRP

__all__ = ["fewest_vehicles", "routes_bound"]

WORK = 8_000  # ours: nodes times steps; some tens of milliseconds
SLOWEST = 1 / 256  # ours: steps that are shorter no longer pay


def fewest_vehicles(instance: CVRP) -> int:
    """ceil(sum of demands / capacity), or more where large demands cannot share: the bound of bin packing."""
    return fewest_bins(instance.demands[1:].tolist(), instance.capacity)


def routes_bound(instance: CVRP) -> int:
    if instance.size == 0:
        return 0
    d = np.minimum(instance.distances, instance.distances.T)  # one-way distances: the shorter way
    least = fewest_vehicles(instance)
    most = max(least, min(instance.size, instance.fleet or instance.size))
    return max(_radial(instance), _forest(d, instance.demands, instance.capacity, least, most))


def _radial(instance: CVRP) -> int:
    """Haimovich and Rinnooy Kan: a route is no shorter than the way to any of its customers and back, so than their mean by demand.

    That needs the triangle inequality, which rounding breaks: ways are the shortest ones.
    """
    if not instance.demands.any():
        return 0
    ways = instance.distances
    there, back = _shortest_from_depot(ways), _shortest_from_depot(ways.T)
    total = sum(q * (a + b) for q, a, b in zip(instance.demands.tolist(), there, back, strict=True))
    return -(-total // instance.capacity)


def _shortest_from_depot(d: np.ndarray) -> list[int]:
    """Dijkstra's algorithm on a dense matrix."""
    length = d[0].copy()
    length[0] = 0
    open_N = np.ones(len(d), bool)
    for _ in range(len(d)):
        node = int(np.where(open_N, length, np.iinfo(np.int64).max).argmin())
        open_N[node] = False
        length = np.minimum(length, length[node] + d[node])
    return length.tolist()


def _forest(distances: np.ndarray, demands: np.ndarray, capacity: int, least: int, most: int) -> int:
    """K routes are N - K edges between customers without a circle, and 2 K legs to the depot, no leg more than twice.

    # ours: Christofides, Mingozzi and Toth's tree bound (1981) with the forest cut to N - K edges, least over every K that may be.
    Every customer has two edges: integers pi on the customers move the bound as in Held and Karp's.
    """
    customers = len(distances) - 1
    scale = room_to_scale(distances)
    if scale == 0:
        return 0
    d = distances * scale
    alone = _may_be_alone(demands[1:], capacity, least)
    pi = np.zeros(customers, np.int64)
    limit = int(d.max(initial=0))
    best, pace, stale = 0, 1.0, 0
    last = np.zeros(customers)
    for _ in range(max(20, min(200, WORK // customers))):
        value, degree = _least_forest(d[1:, 1:] + pi[:, None] + pi[None, :], d[0, 1:] + pi, alone, least, most)
        value -= 2 * int(pi.sum())
        if value > best:
            best, stale = value, 0
        else:
            stale += 1
            if stale >= 4:
                pace, stale = pace / 2, 0
                if pace < SLOWEST:
                    break
        way = degree - 2.0
        if not way.any():
            break
        way, last = 0.7 * way + 0.3 * last, way
        step = pace * max(1, 0.2 * best) / float(way @ way)  # ours: routes lie about a fifth above this bound
        pi = np.clip(pi + np.rint(step * way).astype(np.int64), -limit, limit)
    return -(-best // scale)


def _may_be_alone(demand_N: np.ndarray, capacity: int, least: int) -> np.ndarray:
    """With as few routes as can be, a customer has one to itself only if the others fit into the rest."""
    others = [sum(demand_N.tolist()) - q for q in demand_N.tolist()]
    return np.array([rest <= (least - 1) * capacity for rest in others])


def _least_forest(d: np.ndarray, leg_N: np.ndarray, alone_N: np.ndarray, least: int, most: int) -> tuple[int, np.ndarray]:
    """Least over K in least..most of the N - K shortest edges of the tree and the 2 K shortest legs. (length, degrees)"""
    count = len(leg_N)
    parent, length = spanning_tree(d)
    by_length = np.argsort(length, kind="stable")
    edges = np.concatenate([[0], np.cumsum(length[by_length])])  # edges[n]: the n shortest
    legs = np.sort(np.concatenate([leg_N, leg_N]))
    both = np.concatenate([[0], np.cumsum(legs)])
    routes = np.arange(least, most + 1)
    totals = edges[count - routes] + both[2 * routes]
    few = np.concatenate([np.arange(count), np.flatnonzero(alone_N)])
    few = few[np.argsort(leg_N[few], kind="stable")][: 2 * least]
    if len(few) == 2 * least:
        totals[0] = edges[count - least] + leg_N[few].sum()
    chosen = int(totals.argmin())
    k = least + chosen
    degree = np.zeros(count, np.int64)
    kept = by_length[: count - k]
    np.add.at(degree, kept + 1, 1)
    np.add.at(degree, parent[kept], 1)
    if chosen == 0 and len(few) == 2 * least:
        np.add.at(degree, few, 1)
    else:
        np.add.at(degree, np.argsort(np.concatenate([leg_N, leg_N]), kind="stable")[: 2 * k] % count, 1)
    return int(totals[chosen]), degree
