"""How good a face is, and why it cannot be enrolled (section 4.3): the first reason that holds, in the order of REASONS."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from datamodules.ahan.template import RESIDUAL

__all__ = ["REASONS", "Quality", "Thresholds", "judge", "outside", "turned"]

REASONS = (
    "unreadable",
    "no_face",
    "many_faces",
    "too_small",
    "bad_landmarks",
    "pose",
    "clipped",
    "dark",
    "bright",
    "flat",
    "blurred",
)
PLACELESS = ("unreadable", "no_face")  # nothing can be forced out of them


@dataclass(frozen=True)
class Thresholds:
    """Of a failure to enrol; calibrate `blurred` on cameras of your own.

    Args:
        many: A second face of this share of the largest one's side is one too many.
        small: Pixels between the eyes in the photograph, at least.
        small_warn: Below it a face is told to be small.
        residual: Pixels of the 112 frame that the points may be away from the template, root mean square.
        pose: The nose's distance from the middle of the eyes, by the eyes' distance; 0.35 is about 45 degrees.
        pose_warn: Above it a face is told to be turned.
        clipped: Share of the frame that may lie outside of the photograph.
        dark: Mean of the aligned face's luma, at least.
        bright: At most.
        flat: Its standard deviation, at least.
        blurred: Variance of its Laplacian in the 112 frame, at least.
    """

    many: float = 0.6
    small: float = 24.0
    small_warn: float = 40.0
    residual: float = RESIDUAL
    pose: float = 0.35
    pose_warn: float = 0.2
    clipped: float = 0.2
    dark: float = 35.0
    bright: float = 225.0
    flat: float = 12.0
    blurred: float = 15.0


@dataclass(frozen=True)
class Quality:
    """reason: why the face cannot be enrolled, of REASONS; None where it can. detail: the same in words, with numbers.

    eye_distance: in pixels of the photograph, which is the effective resolution; of a face found by its box alone an estimate.
    pose: None: not known, because the detector tells no nose. forced: used in spite of the reason.
    """

    detector: str
    reason: str | None = None
    detail: str = ""
    warnings: tuple[str, ...] = ()
    forced: bool = False
    faces: int = 0
    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    coarse: bool = False
    eye_distance: float | None = None
    residual: float | None = None
    pose: float | None = None
    clipped: float | None = None
    brightness: float | None = None
    contrast: float | None = None
    sharpness: float | None = None
    fallback: tuple[str, ...] = field(default=())  # regions whose box is the template's, where boxes follow the points

    @property
    def usable(self) -> bool:
        return self.reason is None or self.forced

    def row(self) -> dict[str, Any]:
        """For JSON. What is not known says so."""
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in vars(self).items()}
        box = None if self.box is None else [round(value, 1) for value in self.box]
        lists = {"warnings": list(self.warnings), "fallback": list(self.fallback), "box": box}
        return rounded | lists | {"pose": "unknown" if self.pose is None else round(self.pose, 4)}


def judge(measured: dict[str, float], limits: Thresholds, *, enlarged: bool = True) -> tuple[str | None, str, tuple[str, ...]]:
    """(reason, detail, warnings) of what was measured; what is absent is not judged.

    enlarged: False: nothing was warped, so that a small picture is told and not refused (ours)
    """
    value = measured.get
    eyes, warnings = value("eye_distance", np.inf), []
    checks = (
        ("too_small", enlarged and eyes < limits.small, f"{eyes:.1f} pixels between the eyes, at least {limits.small:g} are needed"),
        ("bad_landmarks", value("residual", 0) > limits.residual, f"points {value('residual', 0):.1f} pixels off a face's"),
        ("pose", value("pose", 0) > limits.pose, f"turned: nose {value('pose', 0):.2f} of the eyes' distance off their middle"),
        ("clipped", value("clipped", 0) > limits.clipped, f"{value('clipped', 0):.0%} of the face's frame lie outside of the picture"),
        ("dark", value("brightness", 128) < limits.dark, f"mean brightness {value('brightness', 128):.0f}, at least {limits.dark:g}"),
        ("bright", value("brightness", 128) > limits.bright, f"mean brightness {value('brightness', 128):.0f}, at most {limits.bright:g}"),
        ("flat", value("contrast", 255) < limits.flat, f"contrast {value('contrast', 255):.1f}, at least {limits.flat:g}"),
        ("blurred", value("sharpness", 1e9) < limits.blurred, f"sharpness {value('sharpness', 1e9):.1f}, at least {limits.blurred:g}"),
    )
    if eyes < limits.small_warn:
        warnings.append(f"small: {eyes:.1f} pixels between the eyes, {limits.small_warn:g} or more are good")
    if value("pose", 0) > limits.pose_warn:
        warnings.append(f"turned: nose {value('pose', 0):.2f} of the eyes' distance off their middle")
    reason, detail = next(((reason, detail) for reason, holds, detail in checks if holds), (None, ""))
    return reason, detail, tuple(warnings)


def luma(face_112: np.ndarray) -> dict[str, float]:
    """Of an aligned face in the 112 frame, uint8 (112,112,3)."""
    grey = cv2.cvtColor(face_112, cv2.COLOR_RGB2GRAY)
    sharp = cv2.Laplacian(grey, cv2.CV_64F).var()
    return {"brightness": float(grey.mean()), "contrast": float(grey.std()), "sharpness": float(sharp)}


def turned(points_52: np.ndarray) -> float:
    """How far the nose lies from the middle of the eyes along the line between them, by their distance."""
    left, right, nose = points_52[:3]
    along = right - left
    return float(abs((nose - (left + right) / 2) @ along) / max(along @ along, 1e-9))


def outside(shape: tuple[int, ...], matrix_23: np.ndarray, size: int) -> float:
    """Share of the frame that the photograph does not reach."""
    high, wide = shape[:2]
    corners = np.array([[-0.5, -0.5], [wide - 0.5, -0.5], [wide - 0.5, high - 0.5], [-0.5, high - 0.5]])
    moved = (corners @ matrix_23[:, :2].T + matrix_23[:, 2] + 0.5).astype(np.float32)
    frame = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    return 1 - float(cv2.intersectConvexConvex(moved, frame)[0]) / size**2
