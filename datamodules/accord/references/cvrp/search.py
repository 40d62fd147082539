"""Routes by ruin and recreate with simulated annealing, down to a local optimum at both ends."""

import math
import time
from random import Random

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.cvrp.improve import descended
from datamodules.accord.references.cvrp.ruin import Routes
from datamodules.accord.references.cvrp.savings import savings

__all__ = ["local", "savings_descended", "search"]

ROUNDS = 150  # per customer, where no clock stops the search
HOT, COLD = 0.5, 0.005  # ours: of the mean leg, the temperatures at the beginning and at the end


def savings_descended(attempt: Attempt) -> None:
    """Savings, then their local optimum."""
    savings(attempt)
    search(attempt, 0)


def local(attempt: Attempt) -> None:
    if attempt.plan is None:
        savings(attempt)
    search(attempt, None if attempt.deadline is not None else ROUNDS * attempt.instance.size)


def search(attempt: Attempt, rounds: int | None) -> None:
    """From the attempt's plan; 0 rounds is the descent only, None cools down by the clock."""
    if attempt.plan is None or attempt.over():
        return
    _descend(attempt)
    if attempt.instance.size < 2 or rounds == 0:
        return
    attempt.relax()
    if attempt.ended():
        return
    assert attempt.plan is not None
    assert attempt.objective is not None
    routes = Routes(attempt.instance, [list(route) for route in attempt.plan], Random(attempt.seed))
    value = attempt.objective
    leg = value / (attempt.instance.size + len(attempt.plan))
    began, left = time.monotonic(), attempt.left or 1.0
    done, heat = 0, HOT * leg
    while rounds is None or done < rounds:
        if done % 16 == 0:
            if attempt.over():
                break
            share = (time.monotonic() - began) / left if rounds is None else done / rounds
            heat = leg * HOT * (COLD / HOT) ** min(1.0, share)
        done += 1
        kept = routes.saved()
        out, change = routes.ruin()
        back = routes.recreate(out)
        if back is None or change + back >= -heat * math.log(1.0 - routes.random.random()):
            routes.restore(kept)
            continue
        value += change + back
        if attempt.better(value):
            attempt.offer(routes.plan(), value)
            if attempt.proven:
                return
    _descend(attempt)


def _descend(attempt: Attempt) -> None:
    routes = descended(attempt.instance, [list(route) for route in attempt.plan or ()], attempt.over)
    attempt.offer(tuple(tuple(route) for route in routes))
