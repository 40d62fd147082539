"""pfsp, from the definition: every job exactly once; an operation starts when its machine and its job's operation before are done."""

from typing import Any

from datamodules.accord.checker.counting import exactly_once
from datamodules.accord.checker.report import Violation, places, sequence
from datamodules.accord.instances import FlowShop

__all__ = ["judge"]


def judge(instance: FlowShop, plan: Any) -> tuple[list[Violation], int | None, int | None]:
    """Violations, makespan, nothing that is counted."""
    entries = sequence(plan)
    if entries is None:
        return [Violation("shape", (), None, "the plan is no list of jobs")], None, None
    times = instance.times.tolist()
    jobs, wrong = places(entries, 0, instance.size, "job")
    known = not wrong
    wrong += exactly_once(jobs, range(instance.size), "job", instance.label)
    if not known:
        return wrong, None, None
    free = [0] * len(times[0])  # when each machine is done with what came before
    for job in jobs:
        ready = 0
        for machine, time in enumerate(times[job]):
            ready = max(ready, free[machine]) + time
            free[machine] = ready
    return wrong, free[-1], None
