"""Of gathered answers what a run keeps: errors without intervals, floors that look at no picture, how far off validation was, rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apps.hag.conformal import fewest, half_width, residuals_of
from apps.hag.floors import fit_floors
from apps.hag.metrics import Answers, By, SizeSums, polyps_of

__all__ = ["floors", "rows_of", "spread", "summed"]

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
        for prefix, level in (("", given), ("polyp_", polyps_of(given))):
            values = summed(level, "mm")
            found |= {
                f"{floor.replace(' ', '_')}_{prefix}{name}": float(values[name]) for name in ("mae", "tri_macro_f1", "bin10_macro_f1")
            }
    return found


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
