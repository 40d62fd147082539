"""Of gathered answers what a run keeps: errors without intervals, floors that look at no picture, how far off validation was, rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.hag.conformal import fewest, half_width, residuals_of
from apps.hag.floors import FLOORS, fit_floors
from apps.hag.metrics import LEVELS, Answers, By, ClassTable, SizeSums, classified, measured, polyps_of
from datamodules.hag.areas import AREA_CLASSES

__all__ = ["HEADLINES", "TOLD", "class_values", "constant_f1", "floors", "rows_of", "spread", "summed"]

HEADLINES = ("mae", "tri_macro_f1", "bin10_macro_f1", "bin5_macro_f1")  # with intervals over polyps
TOLD = (
    *HEADLINES, "medae", "bias", "within_1mm", "within_20pct", "loa_low", "loa_high", "tri_balanced_accuracy", "bin10_weighted_f1",
    "bin10_sensitivity", "bin10_specificity", "bin10_auroc", "bin5_sensitivity", "bin5_specificity", "bin5_auroc",
)  # fmt: skip
CLASS_TOLD = ("macro_f1", "accuracy")  # of classes, with intervals
OF_BOXES = ("mae", "tri_macro_f1", "bin10_macro_f1", "bin5_macro_f1", "bin10_weighted_f1")  # beside which the floors of the box stand
LEVEL = 0.95  # of the interval that an exported file tells


def summed(answers: Answers, by: By) -> dict[str, Tensor]:
    """Errors and class metrics of frames, or of polyps, without intervals."""
    known = answers.known()
    given = (None if part is None else torch.from_numpy(part) for part in (known.mm, known.p_gt5, known.p_ge10))
    sums = SizeSums(by)
    sums.update(torch.from_numpy(known.true), torch.ones(len(known), dtype=torch.bool), torch.from_numpy(known.censored), *given)
    return sums.compute()


def spread(answers: Answers) -> dict[str, Any]:
    """How far off validation was, in ln mm: `spread`, and where there are polyps enough, `reach` of an interval for a frame of a new one.

    The best epoch was chosen on the same polyps; `discern hag calibrate` takes others.
    """
    residuals = residuals_of(answers)
    if not residuals.polyps:
        return {}
    found: dict[str, Any] = {"spread": float(np.sqrt((residuals.weight_N * residuals.value_N**2).sum()))}
    if residuals.polyps >= fewest(LEVEL):
        found |= {
            "reach": half_width(residuals, LEVEL),
            "reach_polyp": half_width(residuals_of(polyps_of(answers)), LEVEL),
            "interval": {"level": LEVEL, "polyps": residuals.polyps},
        }
    return found


def floors(train: Any, boxes_train: np.ndarray, answers: Answers, boxes: np.ndarray) -> dict[str, float]:
    """Always the median of training, and what the box alone says; at either level. train: the facts of the training frames."""
    fitted = fit_floors(train.polyp, np.where(train.has_mm, train.mm, np.nan), boxes_train)
    found = {}
    for floor, given in fitted.rows(answers, boxes).items():
        told = TOLD if floor == FLOORS[0] else OF_BOXES  # the constant stands beside every figure
        for level in LEVELS:
            values = measured(given if level == "frame" else polyps_of(given), level, "mm", 1).values
            prefix = "polyp_" if level == "polyp" else ""
            found |= {f"{floor.replace(' ', '_')}_{prefix}{name}": value for name in told if (value := values.get(name)) is not None}
    return found


def class_values(
    polyp_N: np.ndarray, true_N: np.ndarray, given_N: np.ndarray, group_N: np.ndarray, classes: Sequence[str]
) -> dict[str, float]:
    """Ends of the intervals of a set's own classes, over groups.

    Classes of an area are in an order, and a polyp or sequence has the median of its frames' (section 5.6d); others have none.
    """
    found = _ends("", classified(true_N, given_N, classes, group_N))
    polyps, at_N = np.unique(polyp_N, return_inverse=True)
    if list(classes) != list(AREA_CLASSES) or len(polyps) == len(polyp_N):
        return found

    def medians(value_N: np.ndarray) -> np.ndarray:
        """The lower one of two in the middle: a class, and no half of one."""
        return np.array([np.quantile(value_N[at_N == at], 0.5, method="lower") for at in range(len(polyps))])

    whole = classified(medians(true_N), medians(given_N), classes)
    told = {f"polyp_{name}": value for name, value in whole.values.items() if name in CLASS_TOLD and value is not None}
    return found | told | _ends("polyp_", whole)


def _ends(prefix: str, table: ClassTable) -> dict[str, float]:
    told = {name: table.intervals[name] for name in CLASS_TOLD}
    return {f"{prefix}{name}_{end}": ends[i] for name, ends in told.items() if ends for i, end in enumerate(("low", "high"))}


def constant_f1(data: Any) -> float:
    """Of always naming the commonest class of training."""
    train, test = data.facts("train").label, data.facts("test").label
    always = np.full(len(test), np.bincount(train, minlength=len(data.classes)).argmax())
    return classified(test, always, data.classes, draws=1).values["macro_f1"] or 0.0


def rows_of(answers: Answers, numbers: np.ndarray, polyps: Sequence[str]) -> list[dict[str, Any]]:
    """A row a frame: its number, its polyp, what is true, and what was answered."""
    given = {name: value for name in ("mm", "p_gt5", "p_ge10") if (value := getattr(answers, name)) is not None}
    return [
        {
            "frame": int(numbers[row]),
            "polyp": polyps[int(answers.polyp[row])],
            "true_mm": round(float(answers.true[row]), 3),
            **{name: round(float(value[row]), 4) for name, value in given.items()},
        }
        for row in range(len(answers))
    ]
