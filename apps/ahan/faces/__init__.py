"""From a photograph to an aligned face and how good it is. What others need is here: a detector by name, and the framer that uses it."""

from apps.ahan.faces.detectors import BACKENDS, get_detector
from apps.ahan.faces.face import Detector, DetectorUnavailableError, Face
from apps.ahan.faces.framer import Framed, Framer
from apps.ahan.faces.quality import REASONS, Quality, Thresholds

__all__ = [
    "BACKENDS",
    "REASONS",
    "Detector",
    "DetectorUnavailableError",
    "Face",
    "Framed",
    "Framer",
    "Quality",
    "Thresholds",
    "get_detector",
]
