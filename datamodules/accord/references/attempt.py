"""One attempt at one instance: the best plan so far, the clock, the bound, the trace. Every method is a function of an attempt."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from datamodules.accord.bounds import bound
from datamodules.accord.instances import MAXIMISED
from datamodules.accord.references.objective import objective
from datamodules.accord.solution import Plan, Solution, Status

__all__ = ["Attempt", "Found", "Method", "as_method"]

SLOW_BOUNDS = frozenset({"tsp", "cvrp", "pfsp"})

Found = Callable[[Plan, int], None]


class Method(Protocol):
    """A reference. `deadline` is on time.monotonic's clock; None: to the method's own end, which then depends on the seed only."""

    def __call__(
        self, instance: Any, *, deadline: float | None = None, seed: int = 0, start: Plan | None = None, found: Found | None = None
    ) -> Solution: ...


class Attempt:
    """`start` is a feasible plan; nothing worse is ever given back."""

    def __init__(
        self,
        instance: Any,
        source: str,
        deadline: float | None = None,
        seed: int = 0,
        start: Plan | None = None,
        found: Found | None = None,
    ) -> None:
        self.instance, self.source, self.deadline, self.seed = instance, source, deadline, seed
        self.rng = np.random.default_rng(seed)
        self.began = time.monotonic()
        self.sign = -1 if instance.kind in MAXIMISED else 1
        self.plan: Plan | None = None
        self.objective: int | None = None
        self.bound: int | None = None
        self.impossible = False
        self.reason = ""
        self._winner = ""
        self._trace: list[tuple[float, int, str]] = []
        self._found = None
        if start is not None:
            self.offer(start, source="start")
        self._found = found

    def offer(self, plan: Plan, value: int | None = None, source: str | None = None) -> bool:
        """Keep the plan if it is better than the one kept; `value` where the caller knows it."""
        value = objective(self.instance, plan) if value is None else int(value)
        if not self.better(value):
            return False
        self.plan, self.objective = plan, value
        self._winner = source or self.source
        self._trace.append((time.monotonic() - self.began, value, self._winner))
        if self._found is not None:
            self._found(plan, value)
        return True

    def better(self, value: int) -> bool:
        return self.objective is None or self.sign * value < self.sign * self.objective

    def learn(self, limit: int) -> None:
        """No plan is better than `limit`; the sharpest one is kept."""
        if self.bound is None or self.sign * limit > self.sign * self.bound:
            self.bound = int(limit)

    def relax(self) -> None:
        """Learn the bound that takes milliseconds; where it takes tens of them, only if they are there."""
        if self.instance.kind in SLOW_BOUNDS and self.over(0.1):
            return
        if self.bound is None and (limit := bound(self.instance)) is not None:
            self.learn(limit)

    def prove(self) -> None:
        """The search is complete: the plan kept is optimal, or there is none."""
        if self.objective is None:
            self.impossible = True
        else:
            self.bound = self.objective

    @property
    def proven(self) -> bool:
        return self.objective is not None and self.bound is not None and self.sign * self.objective <= self.sign * self.bound

    @property
    def left(self) -> float | None:
        """Seconds until the deadline."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def over(self, need: float = 0.0) -> bool:
        """Is there less than `need` seconds left?"""
        return self.deadline is not None and time.monotonic() + need >= self.deadline

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """A part of the work gets at most so long."""
        whole = self.deadline
        until = time.monotonic() + seconds
        self.deadline = until if whole is None else min(whole, until)
        try:
            yield
        finally:
            self.deadline = whole

    def ended(self) -> bool:
        return self.proven or self.impossible or self.over()

    def answer(self) -> Solution:
        status: Status = "unknown"
        if self.plan is not None:
            status = "optimal" if self.proven else "feasible"
        elif self.impossible:
            status = "infeasible"
        reason = self.reason or ("the time was over before the first plan" if status == "unknown" else "")
        return Solution(
            kind=self.instance.kind,
            plan=self.plan,
            objective=self.objective,
            status=status,
            bound=self.bound,
            wall=time.monotonic() - self.began,
            source=self._winner,
            reason="" if self.plan is not None else reason,
            trace=tuple(self._trace),
        )


def as_method(name: str, run: Callable[[Attempt], None]) -> Method:
    def method(
        instance: Any, *, deadline: float | None = None, seed: int = 0, start: Plan | None = None, found: Found | None = None
    ) -> Solution:
        attempt = Attempt(instance, name, deadline, seed, start, found)
        run(attempt)
        return attempt.answer()

    method.__name__ = name
    return method
