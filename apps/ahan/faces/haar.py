"""`haar`: OpenCV's cascades find a frontal face by its box, and its eyes in it.

The cascades lie in the wheels of OpenCV 4; those of OpenCV 5 have neither them nor the class that reads them.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apps.ahan.faces.face import DetectorUnavailableError, Face
from apps.ahan.faces.smaller import smaller

__all__ = ["Haar", "eye_pair", "missing"]

FACE, EYES = "haarcascade_frontalface_default.xml", ("haarcascade_eye.xml", "haarcascade_eye_tree_eyeglasses.xml")
GROW, NEIGHBOURS = 1.1, 5  # OpenCV's usual ones
WINDOW = 160  # ours: a face is brought to this width before its eyes are sought, because small eyes are overlooked
UPPER = 0.6  # of a face's height: eyes are above
APART, LEVEL = (0.27, 0.52), 0.15  # ours: of a face's width: how far eyes lie apart, and how much one may be above the other


class Haar:
    name = "haar"

    def __init__(self) -> None:
        if why := missing():
            raise DetectorUnavailableError(f"detector haar: {why}; pip install 'opencv-python-headless>=4.14,<5', or --detector lbp")
        self._face, *self._eyes = (_cascade(name) for name in (FACE, *EYES))

    def detect(self, image: np.ndarray) -> list[Face]:
        picture, by = smaller(image)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = self._face.detectMultiScale3(grey, GROW, NEIGHBOURS, outputRejectLevels=True)
        faces = []
        for (x, y, width, height), weight in zip(np.reshape(boxes, (-1, 4)).tolist(), np.ravel(weights).tolist(), strict=True):
            eyes = self._pair(grey[y : y + height, x : x + width])
            points = None if eyes is None else (eyes + [x, y] + 0.5) / by - 0.5
            faces.append(Face((x / by, y / by, width / by, height / by), weight, points))
        return sorted(faces, key=lambda face: -face.side)

    def _pair(self, grey: np.ndarray) -> np.ndarray | None:
        """The eyes' centres in a face's box, (2,2): by the first cascade that sees a pair."""
        by = WINDOW / grey.shape[1]
        upper = cv2.resize(grey, (WINDOW, max(1, round(grey.shape[0] * by))), interpolation=cv2.INTER_LINEAR)[: round(WINDOW * UPPER)]
        for cascade in self._eyes:
            boxes, _, weights = cascade.detectMultiScale3(upper, 1.05, 3, minSize=(WINDOW // 8, WINDOW // 8), outputRejectLevels=True)
            found = np.reshape(boxes, (-1, 4)).astype(np.float64)
            pair = eye_pair(found[:, :2] + (found[:, 2:] - 1) / 2, np.ravel(weights), WINDOW)
            if pair is not None:
                return (pair + 0.5) / by - 0.5
        return None


def eye_pair(centres_N2: np.ndarray, weights_N: np.ndarray, width: float) -> np.ndarray | None:
    """Of what may be eyes the two that lie as eyes do, one in each half, and that the cascade is surest of; else nothing."""
    best, sure = None, -np.inf
    for i, left in enumerate(centres_N2):
        for j, right in enumerate(centres_N2):
            apart, above = (right - left) / width
            halves = left[0] < width / 2 < right[0]
            if halves and APART[0] <= apart <= APART[1] and abs(above) <= LEVEL and weights_N[i] + weights_N[j] > sure:
                best, sure = np.stack([left, right]), weights_N[i] + weights_N[j]
    return best


def missing() -> str:
    """Why there are no cascades here; nothing where there are."""
    if not hasattr(cv2, "CascadeClassifier"):
        return f"OpenCV {cv2.__version__} has no CascadeClassifier (OpenCV 5 dropped it)"
    lacking = [name for name in (FACE, *EYES) if not (_folder() / name).is_file()]
    return f"OpenCV {cv2.__version__} came without {lacking[0]} (OpenCV 5 ships none)" if lacking else ""


def _folder() -> Path:
    return Path(getattr(getattr(cv2, "data", None), "haarcascades", Path(cv2.__file__).parent / "data"))


def _cascade(name: str) -> Any:
    cascade = cv2.CascadeClassifier(str(_folder() / name))
    if cascade.empty():
        raise DetectorUnavailableError(f"{_folder() / name}: damaged; install opencv-python-headless again")
    return cascade
