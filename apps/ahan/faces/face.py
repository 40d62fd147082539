"""What a detector finds, and what every detector has.

Points are (x, y) in pixels of the photograph, "left" is the image's left.
"""

from typing import NamedTuple, Protocol

import numpy as np

from apps.base.errors import UserError

__all__ = ["Detector", "DetectorUnavailableError", "Face"]


class DetectorUnavailableError(UserError):
    """A detector whose parts are not installed here."""


class Face(NamedTuple):
    box: tuple[float, float, float, float]  # x, y, width, height
    score: float  # of the detector's own scale; 1 where it has none
    points: np.ndarray | None = None  # float64 (5,2) in the order of template.POINTS, (2,2) the eyes, or nothing

    @property
    def side(self) -> float:
        return max(self.box[2:])


class Detector(Protocol):
    """`name` goes into every result: how a face was found is part of what a score means."""

    @property
    def name(self) -> str: ...

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces of a photograph, uint8 (H,W,3) RGB, largest first."""
        ...
