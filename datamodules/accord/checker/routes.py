"""cvrp, from the definition: every customer on exactly one route, no route above the capacity, no more routes than vehicles.

A route without customers is a vehicle that stays at home: it costs nothing and is not counted.
"""

from itertools import pairwise
from typing import Any

from datamodules.accord.checker.counting import exactly_once
from datamodules.accord.checker.report import Violation, places, sequence, whole
from datamodules.accord.instances import CVRP

__all__ = ["judge"]


def judge(instance: CVRP, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, cost, vehicles used."""
    routes = sequence(plan)
    if routes is None:
        return [Violation("shape", (), None, "the plan is no list of routes")], None, None
    distances, demands = instance.distances.tolist(), instance.demands.tolist()
    wrong: list[Violation] = []
    served: list[int] = []
    cost, vehicles, known = 0, 0, True
    for number, entry in enumerate(routes):
        stops = sequence(entry)
        if stops is None:
            wrong.append(Violation("shape", (number,), None, f"route {number} is no list of customers"))
            known = False
            continue
        depots = sum(whole(stop) == 0 for stop in stops)
        if depots:
            says = f"route {number} holds the depot; routes are lists of customers, which are counted from 1"
            wrong.append(Violation("depot", (number,), depots, says))
        customers, strange = places([stop for stop in stops if whole(stop) != 0], 1, instance.size + 1, "customer", number)
        wrong += strange
        known = known and not strange and not depots
        served += customers
        vehicles += bool(stops)
        load = sum(demands[customer] for customer in customers)
        if load > instance.capacity:
            over = load - instance.capacity
            wrong.append(Violation("overload", (number,), over, f"route {number} carries {load}, {over} more than {instance.capacity}"))
        way = [0, *customers, 0]
        cost += sum(distances[here][there] for here, there in pairwise(way) if here != there)
    wrong += exactly_once(served, range(1, instance.size + 1), "customer", instance.label)
    if instance.fleet is not None and vehicles > instance.fleet:
        over = vehicles - instance.fleet
        wrong.append(Violation("fleet", (), over, f"{vehicles} vehicles are used, {over} more than {instance.fleet}"))
    return wrong, cost if known else None, vehicles
