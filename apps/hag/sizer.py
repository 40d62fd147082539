"""Frames and their boxes through an exported program, and polyps from their frames. No Lightning, no MLflow."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from apps.base.errors import UserError
from apps.base.predict.program_file import ProgramFile
from apps.base.predict.run import run
from apps.hag.aggregation import aggregate, weighted_quantile
from apps.hag.calibration_file import CalibrationFile
from apps.hag.learned import sight_of
from apps.hag.quality import quality_of
from datamodules.hag.classes import SIZE_CLASSES, size_class
from datamodules.hag.field_of_view import blanked

__all__ = ["CLIPPED", "NO_BOX", "Asked", "PolypSize", "Sizer", "check_program"]

CLIPPED, NO_BOX = "clipped", "no_box"  # beside what the program says of a frame
WHOLE, OK = "whole_frame", "ok"


@dataclass
class Asked:
    """One polyp on one frame, and what was answered. box: pixels; None: the whole frame."""

    name: str
    image: np.ndarray | None  # dropped once it is answered, unless it is to be drawn
    box: np.ndarray | None = None
    polyp: str = ""
    number: int | None = None  # of a video's frame
    seconds: float | None = None
    error: str | None = None
    status: str = ""
    quality: float = 0.0
    mm: float | None = None
    mm_lo: float | None = None
    mm_hi: float | None = None
    p_gt5: float | None = None
    p_ge10: float | None = None
    class3: int | None = None
    given: np.ndarray | None = None  # planes beside the picture, for programs that read some

    def row(self) -> dict[str, Any]:
        """For JSON."""
        row: dict[str, Any] = {"frame": self.name}
        if self.number is not None:
            row |= {"number": self.number, "seconds": None if self.seconds is None else round(self.seconds, 3)}
        row["polyp"] = self.polyp or None
        if self.error is not None:
            return {**row, "error": self.error}
        row["box"] = None if self.box is None else [round(float(value), 2) for value in self.box]
        row |= {name: _plain(getattr(self, name)) for name in ("mm", "mm_lo", "mm_hi")}
        row |= {"class3": _named(self.class3), "p_gt5": _plain(self.p_gt5), "p_ge10": _plain(self.p_ge10)}
        return {**row, "quality": round(self.quality, 3), "status": self.status}


@dataclass
class PolypSize:
    """A polyp from its frames."""

    polyp: str
    frames: int
    used: int
    mm: float | None
    mm_lo: float | None
    mm_hi: float | None
    spread: tuple[float, float] | None  # the inner 80 % of its frames: no interval of the size
    p_gt5: float | None
    p_ge10: float | None
    class3: int | None
    decision: str | None
    status: str

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "polyp": self.polyp, "n_frames": self.frames, "frames_used": self.used, "mm": _plain(self.mm), "mm_lo": _plain(self.mm_lo),
            "mm_hi": _plain(self.mm_hi), "frames_spread": None if self.spread is None else [_plain(end) for end in self.spread],
            "class3": _named(self.class3), "p_gt5": _plain(self.p_gt5), "p_ge10": _plain(self.p_ge10), "decision": self.decision,
            "status": self.status,
        }  # fmt: skip


@dataclass
class Sizer:
    program: ProgramFile
    calibration: CalibrationFile | None = None
    batch: int = 8
    _placing: Any = field(init=False)

    def __post_init__(self) -> None:
        self._placing = _Placing(self.program)

    @property
    def model(self) -> str:
        return self.program.metadata["model"]

    @property
    def side(self) -> int:
        """Of the picture that the network sees."""
        return int(self.program.metadata["preprocessing"]["size"])

    @property
    def given(self) -> list[str]:
        """Planes that must come with each frame."""
        return list(self.program.metadata["given"])

    @property
    def sight(self) -> dict[str, Any]:
        """What is to be done to frames and planes before the program sees them."""
        return sight_of(self.program.metadata)

    def answer(self, asked: Iterable[Asked], keep: bool = False) -> Iterator[Asked]:
        """In their order. keep: with the frames."""
        items = ((one, self._item(one), one.error) for one in asked)
        for result in run(self._placing, items, self.batch):
            one: Asked = result.name
            if result.outputs is None:
                one.error = result.error
            else:
                self._take(one, {name: value[0] for name, value in result.outputs.items()})
            if not keep:
                one.image = None
            one.given = None
            yield one

    def _item(self, one: Asked) -> Any:
        if one.error is not None or one.image is None:
            return None
        box = np.zeros(0, np.float32) if one.box is None else np.asarray(one.box, np.float32)
        if self.sight.get("blank", False):
            one.image = blanked(one.image)
        height, width = one.image.shape[:2]
        given = np.zeros((0, 1, 1), np.float32) if one.given is None else one.given
        one.quality = quality_of(one.image, one.box) if min(height, width) else 0.0
        return one.image, box, given

    def _take(self, one: Asked, outputs: dict[str, Any]) -> None:
        one.status = self.program.metadata["status"][int(outputs["status"])]
        if one.status == OK and one.box is not None and one.image is not None and _clipped(one.box, one.image):
            one.status = CLIPPED
        numbers = {name: _finite(outputs[name]) for name in ("mm", "mm_lo", "mm_hi", "p_gt5", "p_ge10") if name in outputs}
        for name, value in numbers.items():
            setattr(one, name, value)
        kind = int(outputs["class3"])
        one.class3 = kind if kind >= 0 else None
        if one.class3 is None:
            one.quality = 0.0
        spread = self.calibration.frame if self.calibration is not None else None
        if spread is not None and one.mm is not None:
            one.mm_lo, one.mm_hi = (float(end) for end in spread.ends(np.array(one.mm)))
            if one.p_ge10 is None:
                one.p_gt5, one.p_ge10 = (float(share) for share in spread.shares(np.array(one.mm)))

    def polyp(self, name: str, asked: list[Asked]) -> PolypSize:
        """Of all frames that were asked about it."""
        weight = torch.tensor([one.quality for one in asked], dtype=torch.float64)
        found = aggregate(_column(asked, "mm"), weight)
        by_mm = any(one.mm is not None for one in asked)
        counted = found if by_mm else aggregate(torch.ones_like(weight), weight * torch.isfinite(_column(asked, "p_ge10")))
        mm = _finite(found["mm"])
        p_gt5, p_ge10 = (_share(asked, weight, part) for part in ("p_gt5", "p_ge10"))
        spread = self.calibration.polyp if self.calibration is not None else None
        low = high = None
        if spread is not None and mm is not None:
            low, high = (float(end) for end in spread.ends(np.array(mm)))
            if not self.has_heads:
                p_gt5, p_ge10 = (float(share) for share in spread.shares(np.array(mm)))
        kind = int(size_class(mm)) if mm is not None else _by_heads(p_gt5, p_ge10)
        decision = self.calibration.decision(mm, p_ge10) if self.calibration is not None else None
        frames = int(counted["frames"])
        status = "no_frames" if not frames else "few_frames" if bool(counted["few"]) else OK
        ends = None if mm is None else (float(found["spread_low"]), float(found["spread_high"]))
        return PolypSize(name, len(asked), int(counted["used"]), mm, low, high, ends, p_gt5, p_ge10, kind, decision, status)

    @property
    def has_heads(self) -> bool:
        """Whether the program answers probabilities by itself."""
        return any(row["output"] == "p_ge10" for row in self.program.metadata["answer"])


class _Placing:
    """The program under the handles of one whose items are a picture, its box and its planes."""

    def __init__(self, program: ProgramFile) -> None:
        self.program, self.metadata, self.device = program, program.metadata, program.device

    def prepare(self, item: Any) -> Any:
        return self.program.call("place", *(torch.from_numpy(np.ascontiguousarray(part)).to(self.device) for part in item))

    def forward(self, *batch: Any) -> dict[str, Any]:
        return self.program.forward(*batch)


def _clipped(box: np.ndarray, image: np.ndarray) -> bool:
    height, width = image.shape[:2]
    return bool(box[0] < -0.5 or box[1] < -0.5 or box[2] > width + 0.5 or box[3] > height + 0.5)


def _column(asked: list[Asked], name: str) -> torch.Tensor:
    return torch.tensor([math.nan if getattr(one, name) is None else getattr(one, name) for one in asked], dtype=torch.float64)


def _share(asked: list[Asked], weight: torch.Tensor, name: str) -> float | None:
    value = _column(asked, name)
    return _finite(weighted_quantile(value.nan_to_num(), torch.where(value.isnan(), 0.0, weight), 0.5))


def _by_heads(p_gt5: float | None, p_ge10: float | None) -> int | None:
    if p_gt5 is None or p_ge10 is None:
        return None
    return 2 if p_ge10 >= 0.5 else int(p_gt5 > 0.5)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _plain(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _named(kind: int | None) -> str | None:
    return None if kind is None else SIZE_CLASSES[kind]


def check_program(metadata: dict[str, Any], path: Any) -> None:
    """Refuse a file of a version that does not say what is needed."""
    if missing := [name for name in ("model", "given", "status", "preprocessing") if name not in metadata]:
        raise UserError(f"{path} does not say its {missing[0]}; export it anew")
