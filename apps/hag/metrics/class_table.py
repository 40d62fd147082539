"""Class metrics of sets that know no mm, with intervals over groups of frames that must not be told apart (near duplicates, sequences).

Shapes: N frames, G groups, D draws, K classes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.hag.metrics.bootstrap import DRAWS, FEWEST, draw_polyps, interval
from apps.hag.metrics.classes import class_metrics, confusion_matrix, remarks

__all__ = ["ClassTable", "classified"]


class ClassTable(NamedTuple):
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    confusion: list[list[int]]  # true by answered; the last column: no answer
    frames: int
    groups: int
    remarks: list[str]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()


def classified(
    true_N: np.ndarray, given_N: np.ndarray, names: Sequence[str], group_N: np.ndarray | None = None, draws: int = DRAWS, seed: int = 0
) -> ClassTable:
    """given: a class number; anything outside of the classes is no answer, a miss. group: None: every frame by itself."""
    true_N, given_N = np.asarray(true_N, np.int64), np.asarray(given_N, np.int64)
    count = len(names)
    whole = confusion_matrix(true_N, given_N, count)
    group_N = np.arange(len(true_N)) if group_N is None else np.asarray(group_N)
    groups, group = np.unique(group_N, return_inverse=True)
    cells = np.zeros((len(groups), count, count + 1))
    np.add.at(cells, (group, true_N, np.where((given_N < 0) | (given_N >= count), count, given_N)), 1.0)
    found = {name: float(value) for name, value in class_metrics(whole, names).items()}
    values = {name: value if np.isfinite(value) else None for name, value in found.items()}
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(values)
    if len(groups) >= FEWEST:
        drawn = class_metrics(np.tensordot(draw_polyps(len(groups), draws, seed), cells, 1), names, np.nan)
        intervals = {name: None if values[name] is None else interval(drawn[name], len(groups)) for name in values}
    few = [f"no intervals: they need {FEWEST} groups, there are {len(groups)}"] if len(groups) < FEWEST else []
    return ClassTable(values, intervals, whole.tolist(), len(true_N), len(groups), remarks(whole, names) + few)
