"""Routes as CP-SAT's multiple circuits through the depot, with the load on arrival at each customer: for small instances."""

from collections.abc import Callable
from typing import Any

from datamodules.accord.bounds import fewest_vehicles
from datamodules.accord.instances import CVRP
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.cvrp.search import savings_descended
from datamodules.accord.references.solvers import cp_sat, run

__all__ = ["circuits"]

LATER = 2e-5  # seconds an arc, once there are variables


def circuits(attempt: Attempt) -> None:
    cp_model = cp_sat()
    instance: CVRP = attempt.instance
    if attempt.plan is None:
        savings_descended(attempt)
    attempt.relax()
    if attempt.ended():
        return
    nodes, distances = instance.size + 1, instance.distances.tolist()
    demands, capacity = instance.demands.tolist(), instance.capacity
    model = cp_model.CpModel()
    arcs: dict[tuple[int, int], Any] = {}
    loads = [model.new_int_var(demands[i], capacity, "") for i in range(nodes)]  # after serving i
    for i in range(nodes):
        for j in range(nodes):
            if i == j or (i and j and demands[i] + demands[j] > capacity):
                continue
            arcs[i, j] = model.new_bool_var("")
            if i and j:
                model.add(loads[j] >= loads[i] + demands[j]).only_enforce_if(arcs[i, j])
        if attempt.over(LATER * nodes * nodes):  # building and loading the model take time, too
            return
    model.add_multiple_circuit([(i, j, arc) for (i, j), arc in arcs.items()])
    used = sum(arc for (i, _), arc in arcs.items() if i == 0)
    model.add(used >= fewest_vehicles(instance))
    if instance.fleet is not None:
        model.add(used <= instance.fleet)
    model.minimize(cp_model.LinearExpr.weighted_sum(list(arcs.values()), [distances[i][j] for i, j in arcs]))
    if attempt.plan is not None:
        driven = {pair for route in attempt.plan for pair in zip((0, *route), (*route, 0), strict=True)}
        for pair, arc in arcs.items():
            model.add_hint(arc, pair in driven)

    def read(value: Callable[[Any], int]) -> tuple[tuple[int, ...], ...]:
        after = {i: j for (i, j), arc in arcs.items() if i and value(arc)}
        routes = []
        for (i, j), arc in arcs.items():
            if i == 0 and value(arc):
                route = [j]
                while after[route[-1]]:
                    route.append(after[route[-1]])
                routes.append(tuple(route))
        return tuple(routes)

    run(attempt, model, read)
