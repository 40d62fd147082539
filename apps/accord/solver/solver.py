"""`Solver(network).solve(instances)`: the one door to every method."""

import threading
from collections.abc import Sequence
from typing import Any

from apps.accord.numbers import counted
from apps.accord.solver.asked import Asked
from apps.accord.solver.clock import Clock
from apps.accord.solver.incumbent import Improved, Incumbent
from apps.accord.solver.interrupt import Stop
from apps.accord.solver.portfolio import Decoder, portfolio, quick_bound, rule_and_search, run_method
from apps.accord.solver.watched import watched
from apps.base.errors import UserError
from datamodules.accord.bounds import bound
from datamodules.accord.checker import check
from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan, Solution

__all__ = ["Solver"]


class Solver:
    """`network`: an Accord, the file of one, or None: the starter that comes along, where there is one.

    >>> Solver().solve(read("berlin52.tsp"), time_limit=1.0)[0].status
    'feasible'
    """

    def __init__(self, network: Any = None, device: str = "cpu") -> None:
        self.network, self.device = network, device
        self._opened: Any = None
        self._lock = threading.Lock()

    def solve(
        self,
        instances: Sequence[Instance],
        method: str = "portfolio",
        samples: int = 1,
        augment: int = 1,
        starts: int = 1,
        temperature: float = 1.0,
        masked: bool = True,
        time_limit: float | None = None,
        seed: int = 0,
        start: Plan | None = None,
        callback: Improved | None = None,
        began: float | None = None,
        beam: int = 0,
        stop: Stop | None = None,
    ) -> list[Solution]:
        """An answer each. `time_limit` holds for each instance, from its turn on; for the first one from `began` (time.monotonic).

        `method`: portfolio, model, heuristic, exact, or one of the kind's METHODS. `start`: a plan of the one instance; the answer is never
        worse. `stop`: what is asked of it ends the work with the best so far. An answer that the checker refuses is an
        InternalInfeasibleError; without masks (`masked=False`) it is an answer without a plan.
        """
        asked = Asked(method, samples, augment, starts, beam, temperature, masked, time_limit, seed)
        for kind in {instance.kind for instance in instances}:
            asked.of_kind(kind)
        if start is not None and len(instances) != 1:
            raise UserError(f"a plan to start from belongs to one instance, not to {len(instances)}")
        if method == "model" and start is None and time_limit is None:
            return self._model(asked).solve_all(instances, callback, stop)
        answers = []
        for place, instance in enumerate(instances):
            if stop:
                answers.append(Solution(instance.kind, None, None, "unknown", reason="stopped before its turn"))
                continue
            clock = Clock(time_limit, began if place == 0 else None)
            answers.append(self._solve_one(instance, asked, clock, start, callback, stop))
        return answers

    def sampled(self, instances: Sequence[Instance], samples: int, *, seed: int = 0, temperature: float = 1.0) -> Any:
        """The objectives (instances, 1 + samples) of the greedy answer and of each drawn one, in their order: what more samples bring."""
        return self._model(Asked("model", samples=samples, temperature=temperature, seed=seed)).objectives(instances)

    def _solve_one(
        self, instance: Instance, asked: Asked, clock: Clock, start: Plan | None, callback: Improved | None, stop: Stop | None
    ) -> Solution:
        incumbent = Incumbent(instance, clock, None, callback)
        if start is not None:
            incumbent.offer(_checked_start(instance, start), "start")

        def work() -> None:
            if asked.method not in ("portfolio", "heuristic"):
                quick_bound(incumbent, min(0.5 * clock.left(), 0.5))
            if asked.method == "portfolio":
                portfolio(incumbent, clock, asked.seed, self._decoder(asked, clock, stop))
            elif asked.method == "heuristic":
                rule_and_search(incumbent, clock, asked.seed)
            elif asked.method == "model":
                self._model(asked).solve_one(incumbent, clock, clock.deadline, stop)
            else:
                run_method(incumbent, asked.method, clock.deadline, asked.seed, needed=True)
            incumbent.tighten(bound(instance))

        watched(work, clock, stop, lambda: incumbent.plan is not None)
        if incumbent.bound is None:
            quick_bound(incumbent, 0.1)
        return incumbent.close()

    def _decoder(self, asked: Asked, clock: Clock, stop: Stop | None) -> Decoder | None:
        """The network's turn in the portfolio; none where there is no network, or no time to load one."""
        from apps.accord.source import has_starter

        if self.network is None and not has_starter():
            if asked.of_network():
                self._model(asked)  # says that there is none, and how to get one
            return None

        def decode(incumbent: Incumbent, until: float | None) -> None:
            self._model(asked).solve_one(incumbent, clock, until, stop)

        return decode

    def _model(self, asked: Asked) -> Any:
        """Torch is loaded here, and nowhere before."""
        from apps.accord.solver.model_method import ModelMethod
        from apps.accord.source import open_network

        with self._lock:
            if self._opened is None:
                self._opened = open_network(self.network, self.device)
        return ModelMethod(self._opened, asked)


def _checked_start(instance: Instance, start: Plan) -> Plan:
    report = check(instance, start)
    if not report.feasible:
        first = f"; the first: {report.violations[0]}" if report.violations else ""
        count = counted(len(report.violations), "rule")
        raise UserError(f"the plan to start from breaks {count}{first}; `discern accord repair` mends it")
    return start
