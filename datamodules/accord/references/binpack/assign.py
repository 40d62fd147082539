"""Bin packing in CP-SAT: how many items of each size lie in each bin; bins in order of their load, so that none is counted twice."""

from collections.abc import Callable
from typing import Any

import numpy as np

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.binpack.search import slack
from datamodules.accord.references.solvers import cp_sat, run

__all__ = ["assign"]

LATER = 2e-5  # seconds a variable, once there are some


def assign(attempt: Attempt) -> None:
    cp_model = cp_sat()
    instance = attempt.instance
    if attempt.plan is None:
        slack(attempt)
    attempt.relax()
    if attempt.ended():
        return
    assert attempt.objective is not None
    sizes, counts = np.unique(instance.weights, return_counts=True)
    sizes, counts = sizes[::-1].tolist(), counts[::-1].tolist()
    most, least = attempt.objective - 1, attempt.bound or 1  # only what is better; none: the plan is optimal
    model = cp_model.CpModel()
    used = [model.new_bool_var("") for _ in range(most)]
    there = []
    for size, count in zip(sizes, counts, strict=True):
        cap = min(count, instance.capacity // size) if size else count
        there.append([model.new_int_var(0, cap, "") for _ in range(most)])
        model.add(sum(there[-1]) == count)
        if attempt.over(LATER * len(sizes) * most):  # building and loading the model take time, too
            return
    loads = [sum(size * row[b] for size, row in zip(sizes, there, strict=True)) for b in range(most)]
    for b in range(most):
        model.add(loads[b] <= instance.capacity * used[b])
        for row in there:
            model.add(row[b] == 0).only_enforce_if(used[b].negated())
        if b:
            model.add_implication(used[b], used[b - 1])
            model.add(loads[b - 1] >= loads[b])
    for b in range(min(least, most)):
        model.add(used[b] == 1)
    model.minimize(sum(used))
    ids = {size: np.flatnonzero(instance.weights == size).tolist() for size in sizes}

    def read(value: Callable[[Any], int]) -> tuple[tuple[int, ...], ...]:
        left = {size: list(items) for size, items in ids.items()}
        bins = [tuple(left[size].pop() for size, row in zip(sizes, there, strict=True) for _ in range(value(row[b]))) for b in range(most)]
        return tuple(one for one in bins if one)

    run(attempt, model, read)
