"""OR-Tools' routing library on rounds and routes: guided local search until the clock, or without one its local optimum."""

from typing import Any

import numpy as np

from datamodules.accord.instances import CVRP, TSP
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.solvers import routing_solver
from datamodules.accord.solution import Plan

__all__ = ["routing"]


def routing(attempt: Attempt) -> None:
    pywrapcp, enums = routing_solver()
    instance: TSP | CVRP = attempt.instance
    nodes = len(instance.distances)
    if nodes == 1:
        attempt.offer((0,) if isinstance(instance, TSP) else ())
        attempt.prove()
        return
    vehicles = 1 if isinstance(instance, TSP) else min(instance.fleet or instance.size, instance.size)
    manager = pywrapcp.RoutingIndexManager(nodes, vehicles, 0)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(instance.distances.tolist()))
    if isinstance(instance, CVRP):
        asked = model.RegisterUnaryTransitVector(instance.demands.tolist())
        model.AddDimensionWithVehicleCapacity(asked, 0, [instance.capacity] * vehicles, True, "load")
    options = pywrapcp.DefaultRoutingSearchParameters()
    options.first_solution_strategy = enums.FirstSolutionStrategy.SAVINGS
    if isinstance(instance, TSP):
        options.first_solution_strategy = enums.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    if attempt.left is not None:
        options.local_search_metaheuristic = enums.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
        milliseconds = int(1000 * attempt.left) - 20
        if milliseconds <= 0:
            return
        options.time_limit.FromMilliseconds(milliseconds)

    def listen() -> None:
        value = int(model.CostVar().Max())
        if attempt.better(value):
            attempt.offer(_plan(instance, manager, model), value)

    model.AddAtSolutionCallback(listen)
    model.CloseModelWithParameters(options)
    first = _assignment(attempt, model)
    answer = model.SolveFromAssignmentWithParameters(first, options) if first is not None else model.SolveWithParameters(options)
    if answer is None and attempt.plan is None:
        attempt.reason = "OR-Tools' routing found no plan"


def _plan(instance: TSP | CVRP, manager: Any, model: Any) -> Plan:
    routes = []
    for vehicle in range(model.vehicles()):
        index, route = model.Start(vehicle), []
        while not model.IsEnd(index):
            route.append(manager.IndexToNode(index))
            index = model.NextVar(index).Value()
        routes.append(tuple(route))
    if isinstance(instance, TSP):
        return routes[0]
    return tuple(route[1:] for route in routes if len(route) > 1)


def _assignment(attempt: Attempt, model: Any) -> Any:
    if attempt.plan is None:
        return None
    if isinstance(attempt.instance, TSP):
        turned = np.roll(attempt.plan, -attempt.plan.index(0)).tolist()
        return model.ReadAssignmentFromRoutes([turned[1:]], True)
    routes = [list(route) for route in attempt.plan]
    return model.ReadAssignmentFromRoutes(routes + [[] for _ in range(model.vehicles() - len(routes))], True)
