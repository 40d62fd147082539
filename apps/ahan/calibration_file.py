"""calibration.json: the thresholds that a decision needs, and for which model they hold."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from apps.ahan.decision import Calibration, Threshold
from apps.ahan.far_curve import FarCurve
from apps.ahan.gallery.errors import TemplateMismatch
from apps.ahan.llr import Llr
from apps.base.calibration_file import read_calibration
from datamodules.whole import write_whole

__all__ = ["SCHEMA", "CalibrationFile", "Open"]

SCHEMA = "discern-ahan-calibration-1"


@dataclass(frozen=True)
class Open:
    """Of `identify`: the threshold at which a stranger is taken for one of `people` with the chance `fpir`."""

    value: float
    fpir: float
    people: int
    far: float  # of one comparison: 1 - (1 - fpir)^(1 / people)
    impostors: int
    tar: float


@dataclass(frozen=True)
class CalibrationFile:
    model: str
    aligner: str
    calibration: Calibration
    identify: Open | None = None
    llr: dict[str, Llr] = field(default_factory=dict)  # by rule, general and twin
    far_at: dict[str, FarCurve] = field(default_factory=dict)  # by rule, too; a file from before has none
    about: dict[str, Any] = field(default_factory=dict)  # counts, Cllr, notes: told, not used

    def save(self, path: Path) -> None:
        text = json.dumps({"schema": SCHEMA, **_plain(asdict(self))}, indent=1, allow_nan=False)
        with write_whole(path, "w", private=True) as file:
            file.write(text + "\n")

    @classmethod
    def _of(cls, found: dict[str, Any]) -> "CalibrationFile":
        return cls(
            found["model"], found["aligner"], _calibration(found["calibration"]),
            None if found["identify"] is None else _numbers(Open, found["identify"]),
            {rule: Llr(**part) for rule, part in found["llr"].items()},
            {rule: FarCurve(**part) for rule, part in found.get("far_at", {}).items()}, found["about"],
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path, model: str, aligner: str) -> "CalibrationFile":
        """Refused for another model: its scores lie elsewhere."""
        made = read_calibration(path, "ahan", SCHEMA, cls._of)
        if made.model != model or made.aligner != aligner:
            raise TemplateMismatch(
                f"{path} is of model {made.model[:12]} and frame {made.aligner}, this program of {model[:12]} and {aligner}: calibrate anew"
            )
        return made


def _calibration(found: dict[str, Any]) -> Calibration:
    general, twin = (None if found[name] is None else _numbers(Threshold, found[name]) for name in ("general", "twin"))
    delta, enrol_min = found["delta"], found.get("enrol_min")  # the last was not yet there in a file from before
    if general is None or not (delta is None or (_finite(delta) and delta >= 0)) or not (enrol_min is None or _finite(enrol_min)):
        raise ValueError("the general threshold, the margin or the least agreement is no number")
    return Calibration(general, twin, delta, enrol_min)


def _numbers(kind: Any, found: dict[str, Any]) -> Any:
    names = {each.name for each in fields(kind)}
    if set(found) != names or not all(_finite(value) for value in found.values()):
        raise ValueError(f"{kind.__name__.lower()} has {', '.join(sorted(names))}, all numbers")
    return kind(**found)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Any) -> Any:
    """What is no number (an interval that could not be drawn) is null."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
