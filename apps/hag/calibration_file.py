"""calibration.json: how far off sizes may be and from where on a polyp is called large, and for which model that holds."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from apps.base.calibration_file import read_calibration
from apps.base.errors import UserError
from apps.hag.conformal import BORDER, Offset, probability
from datamodules.hag.classes import BORDERS
from datamodules.whole import write_whole

__all__ = ["SCHEMA", "CalibrationFile", "Spread"]

SCHEMA = "discern-hag-calibration-1"


@dataclass(frozen=True)
class Spread:
    """Of one level, frames or polyps. width: of the interval, in ln mm to either side. residuals: ln mm - ln mmhat, each as likely."""

    width: float
    residuals: tuple[float, ...]

    def ends(self, mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(mm) * math.exp(-self.width), np.asarray(mm) * math.exp(self.width)

    def shares(self, mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of more than 5 mm and of 10 mm or more."""
        known = np.array(self.residuals)
        low, high = BORDERS
        return probability(mm, known, math.nextafter(low, math.inf)), probability(mm, known, high)


@dataclass(frozen=True)
class CalibrationFile:
    """frame, polyp: None for a model that answers no mm. offset: None where no sensitivity was asked for."""

    model: str
    level: float
    polyps: int
    frame: Spread | None
    polyp: Spread | None
    offset: Offset | None = None
    about: dict[str, Any] = field(default_factory=dict)  # counts and notes: told, not used

    def decision(self, mm: float | None, p_ge10: float | None) -> str | None:
        """large, not large, or None: nobody asked for a sensitivity, or there is no answer."""
        if self.offset is None:
            return None
        value, least = (mm, BORDER - self.offset.delta) if self.offset.delta is not None else (p_ge10, self.offset.tau)
        if value is None or least is None or not math.isfinite(value):
            return None
        return "large" if value >= least else "not large"

    def save(self, path: Path) -> None:
        plain = {**asdict(self), "offset": None if self.offset is None else self.offset._asdict()}
        text = json.dumps({"schema": SCHEMA, **plain}, indent=1, allow_nan=False)
        with write_whole(path, "w") as file:
            file.write(text + "\n")

    @classmethod
    def _of(cls, found: dict[str, Any]) -> "CalibrationFile":
        return cls(
            found["model"], _finite(found["level"]), int(found["polyps"]), _spread(found["frame"]), _spread(found["polyp"]),
            _offset(found["offset"]), dict(found["about"]),
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path, model: str) -> "CalibrationFile":
        """Refused for another model: its errors are others."""
        made = read_calibration(path, "hag", SCHEMA, cls._of)
        if made.model != model:
            raise UserError(f"{path} is of model {str(made.model)[:12]}, this program of {model[:12]}: calibrate anew")
        return made


def _spread(found: Any) -> Spread | None:
    if found is None:
        return None
    if set(found) != {each.name for each in fields(Spread)} or not found["residuals"]:
        raise ValueError("a spread has a width and residuals")
    width = _finite(found["width"])
    if width < 0:
        raise ValueError("a width is 0 or more")
    return Spread(width, tuple(sorted(map(_finite, found["residuals"]))))


def _offset(found: Any) -> Offset | None:
    if found is None:
        return None
    if set(found) != set(Offset._fields) or (found["delta"] is None) == (found["tau"] is None):
        raise ValueError("an offset has either delta or tau")
    return Offset(**{name: None if value is None else _finite(value) for name, value in found.items()})  # pyright: ignore[reportArgumentType]


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value
