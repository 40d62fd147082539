"""Everything of section 5.4 that can be said of answers, at the level of frames or of polyps, each with its interval over polyps.

A value that does not exist (an area with one class, a mean of nothing) is None, and `remarks` says why.

Shapes: N frames, G polyps, D draws.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from apps.hag.metrics.answers import MISSING, Answers, By, answered_class, polyps_of
from apps.hag.metrics.auroc import Pairs
from apps.hag.metrics.bootstrap import DRAWS, FEWEST, draw_polyps, interval
from apps.hag.metrics.classes import class_metrics, remarks
from apps.hag.metrics.errors import errors
from apps.hag.metrics.sums import TASKS, Sums, error_of, known_class, sums_of
from datamodules.hag.classes import SIZE_CLASSES

__all__ = ["LEVELS", "Difference", "Level", "Table", "measured", "paired", "tables"]

Level = Literal["frame", "polyp"]
LEVELS: tuple[Level, ...] = ("frame", "polyp")
BORDERS = ("below", "above")  # the classes of bin5 and bin10
CELLS = 4_000_000  # of draws by frames at once


@dataclass(frozen=True)
class Table:
    level: Level
    by: By  # where the classes came from
    frames: int  # of known size; at the level of polyps as many as polyps
    polyps: int
    unknown: int  # left out: their size is not known
    missing: int  # without an answer
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]  # 95 % of draws of polyps
    confusions: dict[str, list[list[int]]]  # true by answered; the last column: no answer
    remarks: list[str]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """One model's value less the other's, on the same draws of polyps."""

    value: float | None
    interval: tuple[float, float] | None


def tables(answers: Answers, by: By | None = None, draws: int = DRAWS, seed: int = 0) -> dict[Level, Table]:
    """Frames as they are, and polyps from their frames."""
    return {level: measured(answers if level == "frame" else polyps_of(answers), level, by, draws, seed) for level in LEVELS}


def measured(answers: Answers, level: Level, by: By | None = None, draws: int = DRAWS, seed: int = 0) -> Table:
    """The table of one level. by: heads or mm; None: mm where it was answered."""
    by, known = by or answers.by, answers.known()
    names, group = np.unique(known.polyp, return_inverse=True)
    by_polyp = _by_group(sums_of(known, by), group, len(names))
    whole = {name: value.sum(0) for name, value in by_polyp.items()}
    once = np.ones((1, len(names)))
    values = {name: _number(value[0]) for name, value in _values(known, by, by_polyp, group, once, 0.0).items()}
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(values)
    if len(names) >= FEWEST:
        drawn = _values(known, by, by_polyp, group, draw_polyps(len(names), draws, seed), np.nan)
        intervals = {name: None if values[name] is None else interval(drawn[name], len(names)) for name in values}
    missing = int((answered_class(known, by) == MISSING).sum())
    confusions = {task: whole[task].astype(int).tolist() for task in TASKS}
    said = _remarks(known, values, whole, len(names))
    return Table(level, by, len(known), len(names), len(answers) - len(known), missing, values, intervals, confusions, said)


def paired(one: Answers, other: Answers, level: Level, by: By | None = None, draws: int = DRAWS, seed: int = 0) -> dict[str, Difference]:
    """What `one` has more than `other` on the same frames, metric by metric. Values that one of both lacks are left out."""
    if not np.array_equal(one.polyp, other.polyp) or not np.array_equal(one.true, other.true, equal_nan=True):
        raise ValueError("paired differences are of the same frames in the same order; these answers are of others")
    if level == "polyp":
        one, other = polyps_of(one), polyps_of(other)
    found, several = [], []
    for answers in (one.known(), other.known()):
        names, group = np.unique(answers.polyp, return_inverse=True)
        come_from = by or answers.by
        by_polyp = _by_group(sums_of(answers, come_from), group, len(names))
        found.append(_values(answers, come_from, by_polyp, group, np.ones((1, len(names))), 0.0))
        times = draw_polyps(len(names), draws, seed) if len(names) >= FEWEST else np.ones((1, len(names)))
        several.append((_values(answers, come_from, by_polyp, group, times, np.nan), len(names)))
    (ones, groups), (others, _) = several
    both = [name for name in found[0] if name in found[1]]
    return {name: Difference(_number((found[0][name] - found[1][name])[0]), interval(ones[name] - others[name], groups)) for name in both}


def _by_group(sums: Sums, group: np.ndarray, groups: int) -> Sums:
    added = {name: np.zeros((groups, *value.shape[1:])) for name, value in sums.items()}
    for name, value in sums.items():
        np.add.at(added[name], group, value)
    return added


def _values(answers: Answers, by: By, by_polyp: Sums, group: np.ndarray, times_DG: np.ndarray, absent: float) -> dict[str, np.ndarray]:
    """Every metric for every draw."""
    sums = {name: np.tensordot(times_DG, value, 1) for name, value in by_polyp.items()}
    values = errors(sums)
    if answers.mm is not None:
        values["medae"] = _median_error(answers, group, times_DG)
    for task, count in TASKS.items():
        names = SIZE_CLASSES if count == 3 else BORDERS
        found = class_metrics(sums[task], names, absent)
        if count == 2:
            found = {
                **{name: found[name] for name in ("macro_f1", "weighted_f1", "balanced_accuracy", "accuracy")},
                "sensitivity": found["recall_above"], "specificity": found["recall_below"], "precision": found["precision_above"],
                "f1": found["f1_above"], "auroc": _area(answers, by, task, group, times_DG),
            }  # fmt: skip
        values |= {f"{task}_{name}": value for name, value in found.items()}
    return values


def _area(answers: Answers, by: By, task: str, group: np.ndarray, times_DG: np.ndarray) -> np.ndarray:
    score = answers.mm if by == "mm" else {"bin5": answers.p_gt5, "bin10": answers.p_ge10}[task]
    assert score is not None
    true = known_class(answers, task)
    rows = true != MISSING
    return Pairs(score[rows], true[rows] == 1, group[rows], times_DG.shape[1]).area(times_DG)


def _median_error(answers: Answers, group: np.ndarray, times_DG: np.ndarray) -> np.ndarray:
    """Halfway between the two in the middle, each frame counted as often as its polyp is drawn."""
    assert answers.mm is not None
    rows = np.flatnonzero(np.isfinite(answers.mm) & (answers.mm > 0))
    if not len(rows):
        return np.full(len(times_DG), np.nan)
    error = error_of(answers.mm[rows], answers.true[rows], answers.censored[rows])
    order = np.argsort(error, kind="stable")
    error, group = error[order], group[rows][order]
    found = []
    for times in np.array_split(times_DG, max(1, len(times_DG) * len(rows) // CELLS)):
        reached = times[:, group].cumsum(1)
        half = reached[:, -1:] / 2
        first, second = ((condition).sum(1).clip(max=len(rows) - 1) for condition in (reached < half, reached <= half))
        found.append(np.where(half[:, 0] > 0, (error[first] + error[second]) / 2, np.nan))
    return np.concatenate(found)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _remarks(known: Answers, values: dict[str, float | None], whole: Sums, polyps: int) -> list[str]:
    said = [f"{task}: {words}" for task, count in TASKS.items() for words in remarks(whole[task], SIZE_CLASSES if count == 3 else BORDERS)]
    if polyps < FEWEST:
        said.append(f"no intervals: they need {FEWEST} polyps, there are {polyps}")
    for task in ("bin5", "bin10"):
        if len(known) and values[f"{task}_auroc"] is None:
            said.append(f"{task}: the area under the ROC curve needs both sides of the border")
        if left := len(known) - int(whole[task].sum()):
            said.append(f"{task}: {left} censored sizes lie below the border, so that their side is not known; left out")
    if whole["censored"]:
        said.append(f"{whole['censored']:g} censored sizes ('15 mm or more'): too small an answer is an error, too large a one is none")
    return said
