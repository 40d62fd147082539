"""What is to be learned from graphs: one class each, several yes/no questions, or numbers; told by the values, alike in all layouts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from datamodules.errors import DataError

__all__ = ["Targets", "targets_of", "targets_of_numbers"]


class Targets(NamedTuple):
    y: np.ndarray  # (S,) int64 classes, or (S,T) float32 with NaN where unknown
    names: list[str]  # of the classes, or of the targets
    kind: str  # classes, tasks or numbers


def targets_of(labels: Sequence[Any], places: Sequence[str], names: Sequence[str] | None = None) -> Targets:
    """labels: of each graph a text, or a list of numbers with NaN where unknown. places: what an error names, such as file:line."""
    kinds = [isinstance(label, str) for label in labels]
    if len(set(kinds)) > 1:
        odd = kinds.index(not kinds[0])
        raise DataError(f"{places[odd]}: its label is of another kind than the first: all are texts (classes) or all numbers")
    if kinds[0]:
        classes = sorted(set(labels))
        number = {name: i for i, name in enumerate(classes)}
        return Targets(np.array([number[label] for label in labels], np.int64), classes, "classes")
    width = len(labels[0])
    for label, place in zip(labels, places, strict=True):
        if len(label) != width:
            raise DataError(f"{place}: {len(label)} targets, the first graph has {width}")
    values = np.array(labels, np.float32).reshape(len(labels), width)
    if np.isinf(values).any():
        raise DataError(f"{places[int(np.flatnonzero(np.isinf(values).any(1))[0])]}: a target that is not finite")
    return targets_of_numbers(values, names or [f"target {i}" for i in range(width)])


def targets_of_numbers(values: np.ndarray, names: Sequence[str]) -> Targets:
    """Nothing but 0, 1 and unknown are yes/no questions; anything else is numbers."""
    known = values[~np.isnan(values)]
    if not known.size:
        raise DataError("no target is known of any graph: there is nothing to learn")
    return Targets(values.astype(np.float32), list(names), "tasks" if np.isin(known, (0, 1)).all() else "numbers")
