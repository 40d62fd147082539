"""Dantzig, Fulkerson and Johnson's cutting planes on HiGHS: degrees first, then a cut for each set of nodes that a solution leaves apart.

First on the linear relaxation, whose reduced costs fix most edges; then in whole numbers. HiGHS works in floats with a tolerance of 1e-6:
a proof is up to that, as of any such solver; held_karp and cpsat prove in integers. # ours: gives proofs without OR-Tools
"""

from typing import Any

import numpy as np
from scipy.optimize import Bounds, linprog, milp
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

from datamodules.accord.references.attempt import Attempt
from datamodules.accord.references.tsp.construct import symmetric
from datamodules.accord.references.tsp.search import local, search

__all__ = ["cuts"]

MOST = 250  # nodes: as many squared half are the variables
THRESHOLDS = (0.0, 0.3, 0.6, 0.9)  # components are looked for among edges above these
ROUNDS = 60  # of cuts on the relaxation
EPS = 1e-6
EXACT = 1 << 40  # above it, floats do not tell one integer from the next after the solver's tolerance


def cuts(attempt: Attempt) -> None:
    """Proven, or the best plan where the clock ends it."""
    instance = attempt.instance
    if attempt.plan is None:
        _warm(attempt)
    if attempt.ended() or instance.size > MOST or int(instance.distances.sum()) > EXACT:
        return
    if instance.size <= 3:
        search(attempt, 0)
        return
    _Cutter(attempt).run()


def _warm(attempt: Attempt) -> None:
    """A tenth of the time, at most half a second, for a plan worth proving."""
    left = attempt.left
    if left is None:
        local(attempt)
    else:
        with attempt.within(min(0.5, left / 10)):
            local(attempt)


class _Cutter:
    """The model as it grows: one variable an edge (an arc, where distances are asymmetric), rows of degrees and of cuts."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt, self.size = attempt, attempt.instance.size
        distances = attempt.instance.distances
        self.both = symmetric(distances)
        self.tail, self.head = np.triu_indices(self.size, 1) if self.both else np.nonzero(~np.eye(self.size, dtype=bool))
        self.cost = distances[self.tail, self.head].astype(np.float64)
        self.degree = self._degrees()
        self.rows: list[csr_array] = []
        self.needs: list[float] = []
        self.known: set[bytes] = set()

    def run(self) -> None:
        attempt = self.attempt
        for _ in range(ROUNDS):
            if attempt.ended():
                return
            answer = self._relaxed()
            if answer is None or answer.status != 0:
                return
            attempt.learn(int(np.ceil(answer.fun - EPS * max(1.0, abs(answer.fun)))))
            if not self._cut(answer.x, THRESHOLDS):
                self._fix(answer)
                break
        while not attempt.ended():
            answer = self._whole()
            if answer is None:
                return
            if answer.status == 2:  # nothing better than the plan
                attempt.prove()
                return
            if answer.status != 0:
                return
            if not self._cut(answer.x, (0.5,)):
                attempt.offer(self._plan(answer.x))
                attempt.prove()

    def _relaxed(self) -> Any:
        """The linear relaxation with the cuts so far."""
        matrix, needs = self._cut_rows()
        options: dict[str, Any] = {} if self.attempt.left is None else {"time_limit": max(0.01, self.attempt.left)}
        return linprog(
            self.cost,
            A_ub=None if matrix is None else -matrix,
            b_ub=None if matrix is None else -needs,
            A_eq=self.degree,
            b_eq=np.full(self.degree.shape[0], 2.0 if self.both else 1.0),
            bounds=(0, 1),
            method="highs",
            options=options,
        )

    def _whole(self) -> Any:
        """In whole numbers, and better than the plan."""
        matrix, needs = self._cut_rows()
        degrees = np.full(self.degree.shape[0], 2.0 if self.both else 1.0)
        rules: list[tuple[Any, Any, Any]] = [(self.degree, degrees, degrees)]
        rules.append((self.cost[None], -np.inf, (self.attempt.objective or 0) - 0.5))
        if matrix is not None:
            rules.append((matrix, needs, np.inf))
        options: dict[str, Any] = {"mip_rel_gap": 0.0}
        if self.attempt.left is not None:
            options["time_limit"] = max(0.01, self.attempt.left)
        return milp(self.cost, integrality=np.ones(len(self.cost)), bounds=Bounds(0, 1), constraints=rules, options=options)

    def _fix(self, answer: Any) -> None:
        """Edges whose reduced cost lifts the relaxation to the plan's length are in no better round."""
        reduced = answer.lower.marginals
        keep = answer.fun + reduced < (self.attempt.objective or 0) - 1 + EPS * max(1.0, abs(answer.fun))
        self.tail, self.head, self.cost = self.tail[keep], self.head[keep], self.cost[keep]
        self.degree = self._degrees()
        self.rows = [csr_array(row[:, np.flatnonzero(keep)]) for row in self.rows]

    def _cut(self, x: np.ndarray, thresholds: tuple[float, ...]) -> bool:
        """Add a row for each component that fewer edges leave than a round needs; was there any?"""
        added = False
        need = 2.0 if self.both else 1.0
        for threshold in thresholds:
            on = x > threshold + EPS
            graph = csr_array((x[on], (self.tail[on], self.head[on])), shape=(self.size, self.size))
            count, label = connected_components(graph, directed=False)
            if count == 1:
                continue
            for component in range(count):
                inside = label == component
                if not 2 <= inside.sum() <= self.size - 2:
                    continue
                crossing = inside[self.tail] != inside[self.head] if self.both else inside[self.tail] & ~inside[self.head]
                key = (inside if inside[0] or not self.both else ~inside).tobytes()
                if x[crossing].sum() < need - 1e-4 and key not in self.known:
                    self.known.add(key)
                    self.rows.append(csr_array(crossing[None].astype(np.float64)))
                    self.needs.append(need)
                    added = True
        return added

    def _degrees(self) -> Any:
        places, ones = np.arange(len(self.tail)), np.ones(len(self.tail))
        out = csr_array((ones, (self.tail, places)), shape=(self.size, len(self.tail)))
        into = csr_array((ones, (self.head, places)), shape=(self.size, len(self.tail)))
        return csr_array(out + into) if self.both else csr_array(vstack([out, into]))

    def _cut_rows(self) -> tuple[Any, Any]:
        return (csr_array(vstack(self.rows)), np.array(self.needs)) if self.rows else (None, None)

    def _plan(self, x: np.ndarray) -> tuple[int, ...]:
        links: list[list[int]] = [[] for _ in range(self.size)]
        for i in np.flatnonzero(x > 0.5).tolist():
            links[self.tail[i]].append(int(self.head[i]))
            if self.both:
                links[self.head[i]].append(int(self.tail[i]))
        order = [0]
        while len(order) < self.size:
            order.append(next(node for node in links[order[-1]] if len(order) < 2 or node != order[-2]))
        return tuple(order)
