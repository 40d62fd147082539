"""What a method answered to a list of problems, judged by the independent checker: kept as text, summed up as the cells of a table."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.rows import interval_cell
from datamodules.accord.checker import check
from datamodules.accord.gaps import gaps
from datamodules.accord.instances import MAXIMISED, Instance
from datamodules.accord.solution import Solution

__all__ = ["Answered", "Many", "best_of_all", "each", "summed"]

Many = Callable[[Sequence[Instance]], list[Solution]]


class Answered(NamedTuple):
    """One value an instance, in their order. An objective of None: there was no answer, or the checker refused it."""

    objectives: list[int | None]
    proven: list[bool]
    seconds: list[float]

    @classmethod
    def of(cls, instances: Sequence[Instance], solutions: Sequence[Solution]) -> "Answered":
        found = cls([], [], [])
        for instance, solution in zip(instances, solutions, strict=True):
            report = None if solution.plan is None else check(instance, solution.plan)
            found.objectives.append(report.objective if report is not None and report.feasible else None)
            found.proven.append(solution.status == "optimal")
            found.seconds.append(solution.wall)
        return found

    def text(self) -> dict[str, str]:
        """A line each, so that the file of a row stays short."""
        return {
            "objectives": " ".join("-" if value is None else str(value) for value in self.objectives),
            "proven": "".join("01"[flag] for flag in self.proven),
            "seconds": " ".join(f"{value:.5f}" for value in self.seconds),
        }

    @classmethod
    def read(cls, row: dict[str, Any]) -> "Answered":
        values = [None if word == "-" else int(word) for word in row["objectives"].split()]
        return cls(values, [flag == "1" for flag in row["proven"]], [float(word) for word in row["seconds"].split()])


def each(answer: Callable[[Instance], Solution]) -> Many:
    """One after the other."""
    return lambda instances: [answer(instance) for instance in instances]


def best_of_all(kind: str, columns: Sequence[Sequence[int | None]]) -> list[int | None]:
    """The best that anybody found of each instance; shorter columns are of the first instances."""
    better = max if kind in MAXIMISED else min
    longest = max(len(column) for column in columns)
    found: list[int | None] = []
    for place in range(longest):
        values = [column[place] for column in columns if place < len(column)]
        there = [value for value in values if value is not None]
        found.append(better(there) if there else None)
    return found


def summed(instances: Sequence[Instance], answered: Answered, bests: Sequence[int | None]) -> dict[str, Any]:
    """Per cent. `gap` is the mean of the gaps, `of_means` the gap of the mean values; both over what has an answer and a best value."""
    count = len(answered.objectives)
    known = [k for k in range(count) if bests[k] is not None and answered.objectives[k] is not None]
    cells: dict[str, Any] = {"instances": count, "gap": "-", "gap_ci95": "-", "of_means": "-", "best": "-"}
    if known:
        part, values = [instances[k] for k in known], [answered.objectives[k] for k in known]
        targets = [value for value in (bests[k] for k in known) if value is not None]
        whole = gaps(part, values, targets)
        single = [gaps([one], [value], [best]).mean for one, value, best in zip(part, values, targets, strict=True)]
        cells |= {
            "gap": round(whole.mean, 4),
            "gap_ci95": interval_cell(single, 3),
            "of_means": round(whole.of_means, 4),
            "best": share([value == best for value, best in zip(values, targets, strict=True)]),
        }
    return {
        **cells,
        "feasible": share([value is not None for value in answered.objectives]),
        "proven": share(answered.proven),
        "seconds": round(statistics.fmean(answered.seconds), 4),
        "slowest": round(max(answered.seconds), 3),
    }


def share(flags: Sequence[bool]) -> float:
    return round(100 * sum(flags) / max(1, len(flags)), 2)
