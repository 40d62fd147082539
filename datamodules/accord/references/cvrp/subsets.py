"""Dynamic programming over subsets: the shortest route of each set of customers that fits, then the cheapest partition into routes."""

import numpy as np

from datamodules.accord.errors import UnsupportedError
from datamodules.accord.instances import CVRP
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.cvrp.savings import savings
from datamodules.accord.references.tsp.held_karp import FAR, shortest_paths

__all__ = ["MOST", "subsets"]

MOST = 11  # customers: 3^N partitions are compared


def subsets(attempt: Attempt) -> None:
    instance: CVRP = attempt.instance
    if instance.size > MOST:
        raise UnsupportedError(f"dp: {instance.size} customers; it holds {MOST} at most: use exact, cpsat or local")
    savings(attempt)
    if attempt.ended():
        return
    count = 1 << instance.size
    masks = np.arange(count)
    least = shortest_paths(instance.distances)  # (sets, last)
    route = (least + instance.distances[1:, 0]).min(1, initial=FAR)
    load = np.zeros(count, np.int64)
    for j in range(instance.size):
        load += (masks >> j & 1) * instance.demands[j + 1]
    route[load > instance.capacity] = FAR
    route[0] = FAR
    limit = min(instance.fleet or instance.size, instance.size)
    best = np.full((limit + 1, count), FAR, np.int64)  # by routes used
    best[0, 0] = 0
    choice = np.zeros((limit + 1, count), np.int64)
    for mask in range(1, count):
        if attempt.over():
            return
        low = mask & -mask
        parts = _parts(mask ^ low) | low  # the route of the lowest customer
        parts = parts[route[parts] < FAR]
        if len(parts):
            price = best[:-1, mask ^ parts] + route[parts]
            chosen = price.argmin(1)
            best[1:, mask] = np.minimum(price[np.arange(limit), chosen], FAR)
            choice[1:, mask] = parts[chosen]
    full = count - 1
    routes = int(best[:, full].argmin())
    if best[routes, full] >= FAR:
        attempt.reason = f"the demands need more than {instance.fleet} vehicles of {instance.capacity}"
        attempt.prove()
        return
    plan = []
    while full:
        part = int(choice[routes, full])
        plan.append(_route(part, least, instance.distances))
        full ^= part
        routes -= 1
    attempt.offer(tuple(plan))
    attempt.prove()


def _parts(mask: int) -> np.ndarray:
    """All subsets, the empty one included."""
    parts = np.zeros(1, np.int64)
    while mask:
        low = mask & -mask
        parts = np.concatenate([parts, parts | low])
        mask ^= low
    return parts


def _route(mask: int, least: np.ndarray, distances: np.ndarray) -> tuple[int, ...]:
    order = [int((least[mask] + distances[1:, 0]).argmin())]
    while mask ^ (1 << order[-1]):
        mask ^= 1 << order[-1]
        order.append(int((least[mask] + distances[1:, order[-1] + 1]).argmin()))
    return tuple(customer + 1 for customer in reversed(order))
