"""What all readers and writers of plans need: the objective of a plan, and a plan's shape.

Ids that do not exist stay in a plan that is read: naming them is the checker's work.
"""

from datamodules.accord.checker import check
from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.instances import BinPacking, Instance, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["objective_scale", "one_line", "shape_of", "value_of"]

_ROWS = ("cvrp", "binpack", "jssp")  # plans of rows


def value_of(instance: Instance, plan: Plan) -> int:
    """The objective of a plan that is to be written; one of ids that do not exist has none."""
    report = check(instance, plan)
    if report.objective is None:
        wrong = next((str(violation) for violation in report.violations), "it has no objective")
        raise InvalidInstanceError(f"{instance.name or instance.kind}: the plan cannot be written: {wrong}")
    return report.objective


def objective_scale(instance: Instance) -> int:
    """What a real objective was multiplied by: values of a knapsack have a scale of their own, bins are counted."""
    return instance.value_scale if isinstance(instance, Knapsack) else 1 if isinstance(instance, BinPacking) else instance.scale


def shape_of(instance: Instance, plan: object, where: str) -> Plan:
    """A plan of lists as one of tuples; anything but whole numbers is refused."""
    deep = instance.kind in _ROWS
    if not isinstance(plan, list | tuple) or (deep and not all(isinstance(row, list | tuple) for row in plan)):
        raise ParseError(f"{where}: the plan of a {instance.kind} is a list of {'lists of ' if deep else ''}whole numbers")
    return tuple(tuple(_id(one, where) for one in row) for row in plan) if deep else tuple(_id(one, where) for one in plan)


def _id(one: object, where: str) -> int:
    if isinstance(one, bool) or not isinstance(one, int):
        raise ParseError(f"{where}: {str(one)[:30]!r} in the plan, where a whole number is expected")
    return one


def one_line(name: str) -> str:
    return " ".join(name.split())
