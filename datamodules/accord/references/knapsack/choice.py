"""The knapsack as one linear constraint of CP-SAT."""

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.knapsack.density import by_density, density
from datamodules.accord.references.solvers import cp_sat, run

__all__ = ["choice"]


def choice(attempt: Attempt) -> None:
    cp_model = cp_sat()
    instance = attempt.instance
    density(attempt)
    if attempt.ended():
        return
    items = by_density(instance).tolist()
    model = cp_model.CpModel()
    taken = {item: model.new_bool_var("") for item in items}
    held = set(attempt.plan or ())
    for item, variable in taken.items():
        model.add_hint(variable, item in held)
    model.add(sum(int(instance.weights[item]) * variable for item, variable in taken.items()) <= instance.capacity)
    model.maximize(sum(int(instance.values[item]) * variable for item, variable in taken.items()))
    run(attempt, model, lambda value: tuple(sorted(item for item, variable in taken.items() if value(variable))))
