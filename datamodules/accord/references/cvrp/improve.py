"""Down to a local optimum: routes by 2-opt and Or-opt each; between routes relocate, swap and 2-opt* over near customers."""

from collections.abc import Callable

import numpy as np

from datamodules.accord.instances import CVRP
from datamodules.accord.references.tsp.construct import symmetric
from datamodules.accord.references.tsp.directed import descend
from datamodules.accord.references.tsp.two_opt import Round, neighbours

__all__ = ["descended", "shortened"]

NEAR = 15


def shortened(instance: CVRP, routes: list[list[int]], over: Callable[[], bool]) -> list[list[int]]:
    """Each route by itself, from any order of its customers."""
    both = symmetric(instance.distances)
    out = []
    for route in routes:
        if len(route) > 1 and not over():
            nodes = np.array([0, *route])
            inner = instance.distances[np.ix_(nodes, nodes)]
            if both and len(nodes) > 3:
                way = Round(inner, list(range(len(nodes))))
                way.descend(list(range(len(nodes))))
                order = np.array(way.order)
            else:
                order = descend(inner, np.arange(len(nodes)), over)
            route = nodes[np.roll(order, -int((order == 0).argmax()))][1:].tolist()
        out.append(list(route))
    return out


def descended(instance: CVRP, routes: list[list[int]], over: Callable[[], bool]) -> list[list[int]]:
    """Routes that none of these moves improves; never more of them than before."""
    far, demands = instance.distances.tolist(), instance.demands.tolist()
    near = neighbours(instance.distances[1:, 1:], NEAR) if instance.size > 1 else [[]]
    routes = [route for route in shortened(instance, routes, over) if route]
    improved = instance.size > 1
    while improved and not over():
        improved = False
        at = {customer: (r, i) for r, route in enumerate(routes) for i, customer in enumerate(route)}
        for a in range(1, instance.size + 1):
            for b in near[a - 1]:
                pair = at[a][0], at[b + 1][0]
                if pair[0] == pair[1]:
                    continue
                changed = _between(far, demands, instance.capacity, routes[pair[0]], routes[pair[1]], at[a][1], at[b + 1][1])
                if changed is None:
                    continue
                improved = True
                for r, route in zip(pair, shortened(instance, list(changed), over), strict=True):
                    routes[r] = route
                    for i, customer in enumerate(route):
                        at[customer] = (r, i)
            if over():
                break
        routes = [route for route in routes if route]
    return routes


def _between(
    far: list[list[int]], demands: list[int], capacity: int, one: list[int], two: list[int], i: int, j: int
) -> tuple[list[int], list[int]] | None:
    """The first improving move that brings a = one[i] beside b = two[j]."""
    a, b = one[i], two[j]
    before_a, after_a = one[i - 1] if i else 0, one[i + 1] if i + 1 < len(one) else 0
    before_b, after_b = two[j - 1] if j else 0, two[j + 1] if j + 1 < len(two) else 0
    load_one, load_two = sum(demands[c] for c in one), sum(demands[c] for c in two)
    freed = far[before_a][a] + far[a][after_a] - far[before_a][after_a]
    if load_two + demands[a] <= capacity:  # relocate a to either side of b
        if far[b][a] + far[a][after_b] - far[b][after_b] < freed:
            return one[:i] + one[i + 1 :], [*two[: j + 1], a, *two[j + 1 :]]
        if far[before_b][a] + far[a][b] - far[before_b][b] < freed:
            return one[:i] + one[i + 1 :], [*two[:j], a, *two[j:]]
    head_one, head_two = sum(demands[c] for c in one[: i + 1]), sum(demands[c] for c in two[:j])
    crossing = far[a][b] + far[before_b][after_a] < far[a][after_a] + far[before_b][b]  # 2-opt*: a -> b
    if crossing and head_one + load_two - head_two <= capacity and head_two + load_one - head_one <= capacity:
        return one[: i + 1] + two[j:], two[:j] + one[i + 1 :]
    if after_b and load_one - demands[a] + demands[after_b] <= capacity and load_two - demands[after_b] + demands[a] <= capacity:
        c, after_c = after_b, two[j + 2] if j + 2 < len(two) else 0  # swap a with the customer behind b
        old = far[before_a][a] + far[a][after_a] + far[b][c] + far[c][after_c]
        if far[before_a][c] + far[c][after_a] + far[b][a] + far[a][after_c] < old:
            return [*one[:i], c, *one[i + 1 :]], [*two[: j + 1], a, *two[j + 2 :]]
    return None
