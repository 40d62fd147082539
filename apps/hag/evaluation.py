"""What a report tells of a judged set: every row at both levels, differences to the floors, and whether intervals hold."""

from dataclasses import asdict
from typing import Any

import numpy as np

from apps.hag.calibration_file import CalibrationFile, Spread
from apps.hag.metrics import LEVELS, Answers, Level, Table, measured, paired, polyps_of
from apps.hag.metrics.bootstrap import draw_polyps, interval

__all__ = ["MODEL", "OTHER", "Rows", "against", "coverage", "decided", "differences", "rows_of"]

MODEL, OTHER = "this model", "other model"
Rows = dict[str, dict[Level, Table]]
COMPARED = ("mae", "within_20pct", "tri_macro_f1", "bin10_macro_f1", "bin10_auroc")


def rows_of(answers: Answers, polyps: Answers, floors: dict[str, Answers], draws: int, seed: int) -> Rows:
    """polyps: the model's, with probabilities of their own."""
    found: Rows = {MODEL: {"frame": measured(answers, "frame", None, draws, seed), "polyp": measured(polyps, "polyp", None, draws, seed)}}
    for name, floor in floors.items():
        found[name] = {level: measured(floor if level == "frame" else polyps_of(floor), level, "mm", draws, seed) for level in LEVELS}
    return found


def differences(answers: Answers, floors: dict[str, Answers], draws: int, seed: int) -> dict[str, dict[Level, dict[str, Any]]]:
    """The model's values less each floor's, on the same draws of polyps. Empty for a model without mm: floors answer mm."""
    if answers.mm is None:
        return {}
    return {
        name: {
            level: {key: asdict(each) for key, each in paired(answers, floor, level, "mm", draws, seed).items() if key in COMPARED}
            for level in LEVELS
        }
        for name, floor in floors.items()
    }


def against(answers: Answers, other: Answers, draws: int, seed: int) -> dict[Level, dict[str, Any]]:
    """The model's values less another's, on the same draws of polyps; of what both answer."""
    return {
        level: {key: asdict(each) for key, each in paired(answers, other, level, None, draws, seed).items() if key in COMPARED}
        for level in LEVELS
    }


def coverage(polyps: Answers, file: CalibrationFile, draws: int, seed: int) -> dict[str, Any] | None:
    """How many polyps of exactly known size lie inside their intervals; one without an answer does not."""
    if file.polyp is None or polyps.mm is None:
        return None
    known = polyps.known()
    exact = known.of(~known.censored)
    if not len(exact):
        return None
    inside = inside_of(exact, file.polyp)
    drawn = draw_polyps(len(exact), draws, seed) @ inside / len(exact)
    return {
        "level": file.level, "polyps": len(exact), "inside": int(inside.sum()), "share": float(inside.mean()),
        "interval": interval(drawn, len(exact)), "factor": float(np.exp(file.polyp.width)), "calibrated_on": file.polyps,
    }  # fmt: skip


def inside_of(polyps: Answers, spread: Spread) -> np.ndarray:
    assert polyps.mm is not None
    low, high = spread.ends(polyps.mm)
    with np.errstate(invalid="ignore"):
        return (polyps.true >= low) & (polyps.true <= high)


def decided(polyps: Answers, file: CalibrationFile) -> dict[str, Any] | None:
    """What the decision does here: of the truly large how many are called large, and of the others."""
    if file.offset is None:
        return None
    known = polyps.known()
    of_mm, of_heads = (
        [None] * len(known) if part is None else [float(value) for value in part] for part in (known.mm, known.p_ge10)
    )  # fmt: skip
    called = np.array([file.decision(mm, p) == "large" for mm, p in zip(of_mm, of_heads, strict=True)], bool)
    large, sure = known.true >= 10, ~known.censored | (known.true >= 10)
    found = {"asked": file.offset.asked, "delta": file.offset.delta, "tau": file.offset.tau}
    for name, rows, right in (("sensitivity", sure & large, called), ("specificity", sure & ~large, ~called)):
        found |= {name: float(right[rows].mean()) if rows.any() else None, f"{name}_polyps": int(rows.sum())}
    return found
