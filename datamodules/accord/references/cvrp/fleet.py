"""A packing of the demands into the vehicles: the certificate from which routes under a hard fleet begin, or the proof of none."""

from datamodules.accord.bounds import fewest_vehicles
from datamodules.accord.instances import CVRP, BinPacking
from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.exact import exact
from datamodules.accord.references.cvrp.improve import shortened

__all__ = ["packed", "packing"]


def packed(attempt: Attempt) -> None:
    """Offer routes within the fleet, or say that there are none."""
    groups = packing(attempt)
    if groups is not None:
        attempt.offer(tuple(tuple(route) for route in shortened(attempt.instance, groups, attempt.over)))


def packing(attempt: Attempt) -> list[list[int]] | None:
    """Customers by vehicle; None: not found in time (or proven impossible, which the attempt then knows)."""
    instance: CVRP = attempt.instance
    demands = instance.demands[1:]
    fleet = instance.fleet or instance.size
    if fewest_vehicles(instance) <= fleet:
        inner = Attempt(BinPacking(demands, instance.capacity), "fleet", attempt.deadline, attempt.seed)
        inner.learn(fleet)  # so many are enough
        exact(inner)
        if inner.objective is not None and inner.objective <= fleet:
            return [[item + 1 for item in one] for one in inner.plan or ()]
        if not inner.proven:
            attempt.reason = f"no packing of the demands into {fleet} vehicles was found in time"
            return None
    attempt.reason = f"the demands need more than {fleet} vehicles of {instance.capacity}"
    attempt.impossible = True
    return None
