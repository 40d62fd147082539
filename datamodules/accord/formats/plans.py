"""What all readers and writers of plans need: the value of a plan, and ids that are told from others."""

from datamodules.accord.errors import InvalidInstanceError, ParseError
from datamodules.accord.instances import CVRP, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.solution import Plan

__all__ = ["one_line", "shape_of", "value_of"]


def value_of(instance: Instance, plan: Plan) -> int:
    """The objective of a plan whose ids exist, by the definition; whether it keeps the rules is the checker's to say."""
    if isinstance(instance, TSP):
        return sum(int(instance.distances[a, b]) for a, b in zip(plan, (*plan[1:], *plan[:1]), strict=True))
    if isinstance(instance, CVRP):
        return sum(int(instance.distances[a, b]) for route in plan for a, b in zip((0, *route), (*route, 0), strict=True))
    if isinstance(instance, Knapsack):
        return sum(int(instance.values[item]) for item in plan)
    if isinstance(instance, BinPacking):
        return sum(1 for held in plan if len(held))
    if isinstance(instance, FlowShop):
        ends = [0] * instance.times.shape[1]
        for job in plan:
            before = 0
            for machine, time in enumerate(instance.times[job].tolist()):
                before = ends[machine] = max(ends[machine], before) + time
        return ends[-1] if plan else 0
    ends_of = [start + time for job, starts in zip(instance.jobs, plan, strict=True) for (_, time), start in zip(job, starts, strict=True)]
    return max(ends_of, default=0)


def shape_of(instance: Instance, plan: object, where: str) -> Plan:
    """A plan as tuples of whole numbers, all ids of which exist; the rest is the checker's."""
    deep = isinstance(instance, CVRP | BinPacking | JobShop)
    try:
        made = tuple(tuple(_id(one) for one in row) for row in plan) if deep else tuple(_id(one) for one in plan)  # type: ignore[attr-defined]
    except TypeError:
        raise ParseError(f"{where}: the plan of a {instance.kind} is a list of {'lists of ' if deep else ''}whole numbers") from None
    if isinstance(instance, JobShop):
        lengths = [len(job) for job in instance.jobs]
        if [len(row) for row in made] != lengths:  # type: ignore[arg-type]
            raise ParseError(f"{where}: starts of {len(made)} jobs; {instance.size} jobs of {sum(lengths)} operations are needed, in order")
        return made
    least, most = (1, instance.size) if isinstance(instance, CVRP) else (0, instance.size - 1)
    for one in (one for row in made for one in row) if deep else made:  # type: ignore[attr-defined]
        if not least <= one <= most:  # type: ignore[operator]
            raise InvalidInstanceError(f"{where}: {one} is none of {least} to {most}; the plan is of another instance")
    return made


def _id(one: object) -> int:
    if isinstance(one, bool) or not isinstance(one, int):
        raise TypeError
    return one


def one_line(name: str) -> str:
    return " ".join(name.split())
