"""OR-Tools, the optional extra `solvers`: imported on first use. How a CP-SAT model is run under an attempt's clock."""

from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.solution import Plan
from datamodules.errors import MissingDependencyError

__all__ = ["cp_sat", "has_solvers", "routing_solver", "run"]

LONG = 1e9  # seconds: no limit


def cp_sat() -> ModuleType:
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise _missing("cpsat") from None
    return cp_model


def routing_solver() -> tuple[ModuleType, ModuleType]:
    try:
        from ortools.constraint_solver import pywrapcp, routing_enums_pb2
    except ImportError:
        raise _missing("routing") from None
    return pywrapcp, routing_enums_pb2


def has_solvers() -> bool:
    """Without importing them: that takes seconds."""
    return find_spec("ortools") is not None


def _missing(method: str) -> MissingDependencyError:
    return MissingDependencyError(f"method {method} needs OR-Tools, which is not installed; run: pip install 'discern[solvers]'")


def run(attempt: Attempt, model: Any, read: Callable[[Callable[[Any], int]], Plan]) -> None:
    """Solve until proven or the clock says. `read` makes a plan of the values of variables."""
    cp_model = cp_sat()
    if attempt.over():
        return
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # one thread, as every method here; and the same answer for the same seed
    solver.parameters.catch_sigint_signal = False  # it is the caller's; from another thread its handler would end the process
    solver.parameters.random_seed = attempt.seed % (1 << 31)
    solver.parameters.max_time_in_seconds = LONG if attempt.left is None else max(attempt.left - 0.02, 0.01)

    class Listener(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            attempt.offer(read(self.value))
            if attempt.proven:
                self.stop_search()

    status = solver.solve(model, Listener())
    if status in (cp_model.OPTIMAL, cp_model.INFEASIBLE):
        attempt.prove()
    elif status in (cp_model.FEASIBLE, cp_model.UNKNOWN) and attempt.objective is not None:
        limit = solver.best_objective_bound
        if abs(limit) < 1 << 52:  # a float: exact up to here
            attempt.learn(int(limit))
