"""The job shop in CP-SAT: an interval for each operation, none overlapping on a machine."""

from collections.abc import Callable
from typing import Any

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.jssp.graph import Orders, Shop
from datamodules.accord.references.jssp.tabu import rules
from datamodules.accord.references.solvers import cp_sat, run

__all__ = ["intervals"]


def intervals(attempt: Attempt) -> None:
    cp_model = cp_sat()
    if attempt.plan is None:
        rules(attempt)
    attempt.relax()
    if attempt.ended():
        return
    assert attempt.plan is not None
    assert attempt.objective is not None
    instance = attempt.instance
    model = cp_model.CpModel()
    makespan = model.new_int_var(attempt.bound or 0, attempt.objective, "")
    on_machine: list[list[Any]] = [[] for _ in range(instance.machines)]
    starts: list[list[Any]] = []
    for job, known in zip(instance.jobs, attempt.plan, strict=True):
        head, total = 0, sum(time for _, time in job)
        row: list[Any] = []
        before = 0
        for (machine, time), hint in zip(job, known, strict=True):
            start = model.new_int_var(head, attempt.objective - total + head, "")
            model.add_hint(start, hint)
            if row:
                model.add(start >= row[-1] + before)
            on_machine[machine].append(model.new_fixed_size_interval_var(start, time, ""))
            row.append(start)
            before = time
            head += time
        model.add(makespan >= row[-1] + before)
        starts.append(row)
    for one in on_machine:
        model.add_no_overlap(one)
    model.add_hint(makespan, attempt.objective)
    model.minimize(makespan)
    shop = Shop(instance)

    def read(value: Callable[[Any], int]) -> tuple[tuple[int, ...], ...]:
        plan = tuple(tuple(value(start) for start in row) for row in starts)
        return shop.plan(Orders(shop, plan).head)  # everything as early as the orders allow

    run(attempt, model, read)
