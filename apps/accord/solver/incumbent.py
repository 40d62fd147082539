"""The best answer so far. Nothing becomes it, and nothing leaves it, that the independent checker refuses."""

import threading
from collections.abc import Callable

from apps.accord.errors import InternalInfeasibleError
from apps.accord.numbers import better, proves
from apps.accord.solver.clock import Clock
from datamodules.accord.checker import check
from datamodules.accord.instances import MAXIMISED, Instance
from datamodules.accord.solution import Plan, Solution, Status

__all__ = ["Improved", "Incumbent"]

Improved = Callable[[Instance, float, int, str], None]  # called as (instance, seconds, objective, source)


class Incumbent:
    """Methods offer plans from the thread that works; the thread that watches closes it and takes what there is."""

    def __init__(self, instance: Instance, clock: Clock, bound: int | None = None, callback: Improved | None = None) -> None:
        self.instance, self.clock, self.callback = instance, clock, callback
        self.bound = bound
        self.plan: Plan | None = None
        self.objective: int | None = None
        self.source = ""
        self.trace: list[tuple[float, int, str]] = []
        self.reason = ""  # why a method found none
        self.infeasible = ""  # the reason, where it was proven that there is no plan
        self._closed = False
        self._lock = threading.RLock()

    def offer(self, plan: Plan, source: str, objective: int | None = None) -> bool:
        """Whether it is better than what was there. `objective`, where the method knows it, spares the check of what is not."""
        if self._closed or (objective is not None and not better(self.instance.kind, objective, self.objective)):
            return False
        report = check(self.instance, plan, objective)
        if not report.feasible or report.objective is None:
            first = f": {report.violations[0]}" if report.violations else ""
            raise InternalInfeasibleError(f"{self._name()}: {source} gave a plan that breaks a rule{first}")
        if objective is not None and report.objective != objective:
            raise InternalInfeasibleError(f"{self._name()}: {source} said {objective} of a plan that is worth {report.objective}")
        with self._lock:
            if self._closed or not better(self.instance.kind, report.objective, self.objective):
                return False
            self.plan, self.objective, self.source = plan, report.objective, source
            self.trace.append((self.clock.elapsed(), report.objective, source))
            if self.callback is not None:
                self.callback(self.instance, self.trace[-1][0], report.objective, source)
        return True

    def tighten(self, bound: int | None) -> None:
        """A bound that a method has proven."""
        if bound is not None:
            tightest = min if self.instance.kind in MAXIMISED else max
            self.bound = bound if self.bound is None else tightest(self.bound, bound)

    @property
    def done(self) -> bool:
        """Nothing better can come."""
        return self._closed or bool(self.infeasible) or proves(self.instance.kind, self.bound, self.objective)

    def close(self, wall: float | None = None) -> Solution:
        """The answer; what is offered later is not heard. `wall`: its own seconds, where it was not alone under its clock."""
        with self._lock:
            self._closed = True
            status: Status = "feasible"
            reason = ""
            if self.plan is None:
                status, reason = ("infeasible", self.infeasible) if self.infeasible else ("unknown", self._why())
            elif proves(self.instance.kind, self.bound, self.objective):
                status = "optimal"
            seconds = self.clock.elapsed() if wall is None else wall
            return Solution(
                self.instance.kind, self.plan, self.objective, status, self.bound, seconds, self.source, reason, tuple(self.trace)
            )

    def _why(self) -> str:
        if self.reason:
            return self.reason
        if self.clock.over():
            return f"no plan was found in {self.clock.limit:g} s; give it more with --time-limit"
        return "no plan was found, and none was proven impossible"

    def _name(self) -> str:
        return self.instance.name or self.instance.kind
