"""The flow shop in CP-SAT: one precedence literal for each pair of jobs, the same on every machine."""

from collections.abc import Callable
from typing import Any

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.pfsp.neh import neh
from datamodules.accord.references.solvers import cp_sat, run

__all__ = ["intervals"]

LATER = 1e-5  # seconds a rule


def intervals(attempt: Attempt) -> None:
    cp_model = cp_sat()
    if attempt.plan is None:
        neh(attempt)
    attempt.relax()
    if attempt.ended():
        return
    assert attempt.plan is not None
    assert attempt.objective is not None
    times = attempt.instance.times
    jobs, machines = times.shape
    heads = (times.cumsum(1) - times).tolist()
    tails = (times.sum(1, keepdims=True) - times.cumsum(1) + times).tolist()
    model = cp_model.CpModel()
    makespan = model.new_int_var(attempt.bound or 0, attempt.objective, "")
    start = [[model.new_int_var(heads[j][k], attempt.objective - tails[j][k], "") for k in range(machines)] for j in range(jobs)]
    for k in range(machines):
        model.add_no_overlap([model.new_fixed_size_interval_var(start[j][k], int(times[j, k]), "") for j in range(jobs)])
    for j in range(jobs):
        for k in range(machines - 1):
            model.add(start[j][k + 1] >= start[j][k] + int(times[j, k]))
        model.add(makespan >= start[j][-1] + int(times[j, -1]))
    rank = {job: place for place, job in enumerate(attempt.plan)}
    ahead: dict[tuple[int, int], Any] = {}
    for i in range(jobs):
        if attempt.over(LATER * jobs * jobs * machines):  # building and loading the model take time, too
            return
        for j in range(i):
            before = model.new_bool_var("")
            ahead[i, j] = before
            model.add_hint(before, rank[i] < rank[j])
            for k in range(machines):
                model.add(start[j][k] >= start[i][k] + int(times[i, k])).only_enforce_if(before)
                model.add(start[i][k] >= start[j][k] + int(times[j, k])).only_enforce_if(before.negated())
    model.minimize(makespan)
    busy = times.any(1).tolist()

    def read(value: Callable[[Any], int]) -> tuple[int, ...]:
        earlier = [0] * jobs
        for (i, j), before in ahead.items():
            if busy[i] and busy[j]:  # jobs without any time could go round in a circle; they come last
                earlier[j] += value(before)
                earlier[i] += 1 - value(before)
        return tuple(sorted(range(jobs), key=lambda j: (not busy[j], earlier[j])))

    run(attempt, model, read)
