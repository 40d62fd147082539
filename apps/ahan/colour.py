"""What colour alone says: two faces that are cut from one photograph share its light, whoever is on them (section 5.4).

Shapes: M images, N pairs, C numbers of a face's colour.
"""

from typing import Any

import cv2
import numpy as np

from apps.ahan.judged import Judged
from apps.ahan.scenarios import measured
from datamodules.ahan.pairs import OTHER

__all__ = ["UNKNOWN", "chrominance", "colour_alone"]

UNKNOWN = np.full(4, np.nan)  # of an image without a usable face


def chrominance(face: np.ndarray) -> np.ndarray:
    """(C,) of an aligned face, uint8 (S,S,3): mean and deviation of both differences of colour, without the brightness."""
    cells = cv2.cvtColor(face, cv2.COLOR_RGB2YCrCb)[:, :, 1:].reshape(-1, 2).astype(np.float64)
    return np.concatenate([cells.mean(0), cells.std(0)])


def colour_alone(colours_MC: np.ndarray, judged: Judged, first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """As the model is measured against strangers, with how near two faces' colours are for a score."""
    near_N = -np.linalg.norm(colours_MC[first] - colours_MC[second], axis=1)
    keep = judged.usable & (judged.scored.same | (judged.kind == OTHER))
    pairs = judged.scored._replace(score=near_N).of(keep)
    if pairs.same.all() or not pairs.same.any():
        return {}
    found = measured({OTHER: pairs})
    return {name: round(found[f"{OTHER}_{name}"], 6) for name in ("auc", "eer", "accuracy_folds") if f"{OTHER}_{name}" in found}
