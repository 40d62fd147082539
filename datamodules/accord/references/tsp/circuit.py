"""The round as CP-SAT's circuit constraint; asymmetric distances, too."""

from collections.abc import Callable
from typing import Any

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.solvers import cp_sat, run
from datamodules.accord.references.tsp.search import two_opt

__all__ = ["circuit"]

LATER = 1e-5  # seconds an arc, once there are variables


def circuit(attempt: Attempt) -> None:
    cp_model = cp_sat()
    if attempt.plan is None:
        two_opt(attempt)
    distances, size = attempt.instance.distances.tolist(), attempt.instance.size
    if size < 3 or attempt.ended():
        if size < 3:
            attempt.prove()
        return
    assert attempt.plan is not None
    model = cp_model.CpModel()
    following = dict(zip(attempt.plan, (*attempt.plan[1:], attempt.plan[0]), strict=True))
    arcs = {}
    for i in range(size):
        for j in range(size):
            if i != j:
                arcs[i, j] = model.new_bool_var("")
                model.add_hint(arcs[i, j], following[i] == j)
        if attempt.over(LATER * size * size):  # building and loading the model take time, too
            return
    model.add_circuit([(i, j, arc) for (i, j), arc in arcs.items()])
    model.minimize(cp_model.LinearExpr.weighted_sum(list(arcs.values()), [distances[i][j] for i, j in arcs]))

    def read(value: Callable[[Any], int]) -> tuple[int, ...]:
        after = {i: j for (i, j), arc in arcs.items() if value(arc)}
        order = [0]
        while after[order[-1]] != 0:
            order.append(after[order[-1]])
        return tuple(order)

    run(attempt, model, read)
