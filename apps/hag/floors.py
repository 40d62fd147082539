"""What must stand beside a model's errors: answers that look at no picture (section 5.4).

Shapes: N frames.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.hag.metrics import Answers

__all__ = ["FLOORS", "Floors", "fit_floors"]

FLOORS = ("constant", "apparent size", "box only")
TREES = 200
SMALLEST = 1e-3  # of a side, so that a logarithm exists


@dataclass(frozen=True)
class Floors:
    """constant: the median of the training polyps. apparent: ln mm by ln of the box's size, a line; None where no frame has a box."""

    constant: float
    apparent: tuple[float, float] | None
    trees: Any

    def rows(self, answers: Answers, box_N4: np.ndarray) -> dict[str, Answers]:
        """Answers to the same frames. Rows that read a box are there only if every frame has one."""
        found = {FLOORS[0]: np.full(len(answers), self.constant)}
        if self.apparent is not None and len(answers) and not whole(box_N4).any():
            at_1, slope = self.apparent
            found[FLOORS[1]] = np.exp(at_1 + slope * np.log(_size(box_N4)))
            found[FLOORS[2]] = np.exp(self.trees.predict(_features(box_N4)))
        return {name: answers.answering(mm) for name, mm in found.items()}


def fit_floors(polyp: np.ndarray, mm: np.ndarray, box_N4: np.ndarray, seed: int = 0) -> Floors:
    """On training frames of known size; every polyp weighs the same.

    box: xyxy in shares of what the network sees; the whole of it where there is none.
    """
    polyp, mm, box_N4 = np.asarray(polyp), np.asarray(mm, np.float64), np.asarray(box_N4, np.float64)
    known = np.isfinite(mm)
    polyp, mm, box_N4 = polyp[known], mm[known], box_N4[known]
    if not len(mm):
        raise ValueError("no training frame has a size in mm; a floor has nothing to stand on")
    _, first, group, count = np.unique(polyp, return_index=True, return_inverse=True, return_counts=True)
    constant = float(np.median(mm[first]))
    if whole(box_N4).any() or len(first) < 2:
        return Floors(constant, None, None)
    from sklearn.ensemble import ExtraTreesRegressor

    weight, target = 1.0 / count[group], np.log(mm)
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=5, random_state=seed).fit(_features(box_N4), target, weight)
    return Floors(constant, _line(np.log(_size(box_N4)), target, weight), trees)


def whole(box_N4: np.ndarray) -> np.ndarray:
    """Which boxes are the whole picture, which is what stands for none."""
    return np.max(np.abs(box_N4 - np.array([0.0, 0.0, 1.0, 1.0])), axis=1) < 1e-6


def _line(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """(value at 0, slope) of weighted least squares; flat where all x are one."""
    total = weight.sum()
    of_x, of_y = (weight * x).sum() / total, (weight * y).sum() / total
    spread = (weight * (x - of_x) ** 2).sum()
    slope = float((weight * (x - of_x) * (y - of_y)).sum() / spread) if spread > 1e-12 else 0.0
    return float(of_y - slope * of_x), slope


def _sides(box_N4: np.ndarray) -> np.ndarray:
    return np.maximum(box_N4[:, 2:] - box_N4[:, :2], SMALLEST)


def _size(box_N4: np.ndarray) -> np.ndarray:
    return np.sqrt(_sides(np.asarray(box_N4, np.float64)).prod(1))


def _features(box_N4: np.ndarray) -> np.ndarray:
    """Size, shape and place: all that a box says."""
    box_N4 = np.asarray(box_N4, np.float64)
    sides = np.log(_sides(box_N4))
    return np.column_stack([sides, sides[:, 0] - sides[:, 1], box_N4[:, :2], box_N4[:, 2:]])
