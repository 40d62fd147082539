"""The leak detector: can "same" be told without the face? From the background alone, by people never seen (sections 5.6 and 7.8).

Where it can, clothes, light, room or the way a set was cut tell who it is, and the figures of that set flatter every model.

Shapes: M images, N pairs, C features of a background.
"""

from typing import NamedTuple

import cv2
import numpy as np

from datamodules.ahan.family_folds import family_folds

__all__ = ["LIMIT", "UNKNOWN", "Leak", "background", "leak"]

LIMIT = 0.55  # balanced accuracy above which a set is told to leak (section 7.8)
CELLS = 12  # a side: the colours of cells outside of the oval
OVAL = ((0.5, 0.55), (0.42, 0.52))  # centre and half axes in the frame: no skin of a well aligned face lies outside
FOLDS = 5
RIDGE = 1.0
FEWEST = 20  # pairs of a kind


class Leak(NamedTuple):
    accuracy: float  # balanced, over the folds
    pairs: int
    folds: int

    @property
    def warns(self) -> bool:
        return self.accuracy > LIMIT


def outside_oval() -> np.ndarray:
    """(CELLS,CELLS) bool: cells that lie outside of the oval with all their area."""
    edge = np.linspace(0, 1, CELLS + 1)
    (cx, cy), (rx, ry) = OVAL
    near_x = np.clip(cx, edge[:-1], edge[1:])  # the point of a cell that is nearest to the centre
    near_y = np.clip(cy, edge[:-1], edge[1:])
    return ((near_x[None] - cx) / rx) ** 2 + ((near_y[:, None] - cy) / ry) ** 2 > 1


OUTSIDE = outside_oval()


def background(face: np.ndarray) -> np.ndarray:
    """(C,) of an aligned face, uint8 (S,S,3): mean colours of the cells outside of the oval, in 0..1."""
    cells = cv2.resize(face, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return cells[OUTSIDE].astype(np.float64).ravel() / 255


UNKNOWN = np.full(int(OUTSIDE.sum()) * 3, np.nan)  # the background of an image without a usable face


def leak(features_MC: np.ndarray, first: np.ndarray, second: np.ndarray, same: np.ndarray, family_N2: np.ndarray) -> Leak | None:
    """A linear rule on how much two backgrounds differ, cell by cell, learned on some families and asked about others.

    None where there are too few pairs or families to learn from.
    """
    differ_NC = np.abs(features_MC[first] - features_MC[second])
    fold = family_folds(family_N2, FOLDS) if len(np.unique(family_N2)) >= FOLDS else np.full(len(same), -1)
    right: dict[bool, list[np.ndarray]] = {True: [], False: []}
    used = 0
    for name in range(FOLDS):
        here, others = fold == name, (fold >= 0) & (fold != name)
        if min((same & others).sum(), (~same & others).sum()) < FEWEST or not here.any():
            continue
        used += 1
        answers = _learned(differ_NC[others], same[others])(differ_NC[here])
        for kind in (True, False):
            right[kind].append((answers == same[here])[same[here] == kind])
    by_kind = {kind: np.concatenate(parts) for kind, parts in right.items() if parts}
    if used < 2 or not all(len(part) for part in by_kind.values()):
        return None
    return Leak(float(np.mean([part.mean() for part in by_kind.values()])), sum(map(len, by_kind.values())), used)


def _learned(x_NC: np.ndarray, same: np.ndarray):
    """Ridge regression on standardised differences, both kinds counting alike; the threshold lies halfway between their means."""
    centre, spread = x_NC.mean(0), x_NC.std(0) + 1e-6
    weight_N = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())

    def ready(x: np.ndarray) -> np.ndarray:
        return np.column_stack([(x - centre) / spread, np.ones(len(x))])

    z_NC, target_N = ready(x_NC), np.where(same, 1.0, -1.0)
    hessian = (z_NC * weight_N[:, None]).T @ z_NC + RIDGE / len(x_NC) * np.eye(z_NC.shape[1])
    rule = np.linalg.solve(hessian, (z_NC * (weight_N * target_N)[:, None]).sum(0))
    found = z_NC @ rule
    halfway = (found[same].mean() + found[~same].mean()) / 2
    return lambda x: ready(x) @ rule > halfway
