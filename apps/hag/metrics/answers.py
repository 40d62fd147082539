"""What was answered for every frame, whose frame it is, and what would have been right; and the same for every polyp.

Shapes: N frames, or polyps.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch

from apps.hag.aggregation import aggregate, weighted_quantile
from datamodules.hag.classes import size_class

__all__ = ["MISSING", "Answers", "By", "answered_class", "polyps_of"]

By = Literal["mm", "heads"]
MISSING = -1  # the class of an answer that is none


@dataclass(frozen=True)
class Answers:
    """One number a frame. NaN in `true`: the size is not known, the frame is left out; NaN in an answer: none was given, which is wrong.

    mm, or p_gt5 and p_ge10: None where the model has no such head. weight: the frame's quality, for the size of its polyp.
    """

    polyp: np.ndarray  # int64
    true: np.ndarray  # mm
    mm: np.ndarray | None
    censored: np.ndarray = None  # bool: true is that or more; none of them  # pyright: ignore[reportAssignmentType]
    p_gt5: np.ndarray | None = None
    p_ge10: np.ndarray | None = None
    weight: np.ndarray = None  # all alike  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        count = len(np.atleast_1d(self.polyp))
        for field in fields(self):
            value = getattr(self, field.name)
            kind = {"polyp": np.int64, "censored": bool}.get(field.name, np.float64)
            if value is None and field.name in ("censored", "weight"):
                value = np.zeros(count, bool) if field.name == "censored" else np.ones(count)
            if value is None:
                continue
            value = np.asarray(value).astype(kind)
            if value.shape != (count,):
                raise ValueError(f"{field.name} is one number a frame, ({count},), not {value.shape}")
            object.__setattr__(self, field.name, value)
        if (self.p_gt5 is None) != (self.p_ge10 is None):
            raise ValueError("p_gt5 and p_ge10 belong together; there is one of the two")
        if self.mm is None and self.p_ge10 is None:
            raise ValueError("an answer is mm, or p_gt5 and p_ge10, or both; there is neither")
        if (self.true[np.isfinite(self.true)] <= 0).any():
            raise ValueError("a true size is above 0 mm, or NaN where it is not known")

    def __len__(self) -> int:
        return len(self.polyp)

    @property
    def by(self) -> By:
        """Where classes come from unless something else is asked for."""
        return "heads" if self.mm is None else "mm"

    def known(self) -> "Answers":
        """Without the frames whose size is not known."""
        return self.of(np.isfinite(self.true))

    def of(self, rows: np.ndarray) -> "Answers":
        values: Any = {field.name: getattr(self, field.name) for field in fields(self)}
        kept: Any = {name: None if value is None else value[rows] for name, value in values.items()}
        return Answers(**kept)

    def answering(self, mm: np.ndarray) -> "Answers":
        """The same frames, answered otherwise: for a baseline's row."""
        return replace(self, mm=np.asarray(mm, np.float64), p_gt5=None, p_ge10=None)


def answered_class(answers: Answers, by: By) -> np.ndarray:
    """0, 1, 2 by the thresholds of the label, or MISSING. Heads: larger than 5 mm from above a half on, 10 mm or more from a half on."""
    if by == "mm":
        if answers.mm is None:
            raise ValueError("no mm was answered; ask for the classes of the heads")
        given = np.isfinite(answers.mm) & (answers.mm > 0)
        return np.where(given, size_class(np.where(given, answers.mm, 1.0)), MISSING)
    if answers.p_gt5 is None or answers.p_ge10 is None:
        raise ValueError("no probabilities were answered; ask for the classes of mm")
    given = np.isfinite(answers.p_gt5) & np.isfinite(answers.p_ge10)
    return np.where(given, np.where(answers.p_ge10 >= 0.5, 2, (answers.p_gt5 > 0.5).astype(np.int64)), MISSING)


def polyps_of(answers: Answers) -> Answers:
    """One answer a polyp, in the order of their numbers (section 4). Every frame has the size of its polyp; other sizes are refused."""
    names, first = np.unique(answers.polyp, return_index=True)
    members = [np.flatnonzero(answers.polyp == name) for name in names]
    for name, rows in zip(names, members, strict=True):
        of_frames = np.unique(np.column_stack([answers.true[rows], answers.censored[rows]]), axis=0, equal_nan=True)
        if len(of_frames) > 1:
            raise ValueError(f"polyp {name} has frames of {len(of_frames)} sizes; a polyp has one")
    mm = None if answers.mm is None else _sizes(answers, members)
    p_gt5, p_ge10 = (None if p is None else _shares(p, answers, members) for p in (answers.p_gt5, answers.p_ge10))
    return Answers(names, answers.true[first], mm, answers.censored[first], p_gt5, p_ge10)


def _sizes(answers: Answers, members: list[np.ndarray]) -> np.ndarray:
    mm, weight = torch.from_numpy(answers.mm), torch.from_numpy(answers.weight)
    return np.array([float(aggregate(mm[rows], weight[rows])["mm"]) for rows in members])


def _shares(p: np.ndarray, answers: Answers, members: list[np.ndarray]) -> np.ndarray:
    value, weight = torch.from_numpy(np.nan_to_num(p)), torch.from_numpy(np.where(np.isfinite(p), answers.weight, 0.0))
    return np.array([float(weighted_quantile(value[rows], weight[rows], 0.5)) for rows in members])
