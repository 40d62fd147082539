"""How many pairs are decided rightly, at the threshold that is best elsewhere (section 5.7).

Shapes: N pairs.
"""

from typing import NamedTuple

import numpy as np

from apps.ahan.metrics.curve import checked, curve
from datamodules.ahan.family_folds import UNUSED

__all__ = ["FoldAccuracy", "accuracy_folds", "best_threshold"]


class FoldAccuracy(NamedTuple):
    mean: float
    standard_error: float  # of the mean over folds
    folds: np.ndarray  # the accuracy of each
    thresholds: np.ndarray  # each chosen on the other folds
    unused: int  # pairs between folds


def best_threshold(scores: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None, balanced: bool = False) -> tuple[float, float]:
    """(threshold, accuracy). Between two scores it is their midpoint; of equally good intervals it is the widest's (ours).

    balanced: genuine and impostor pairs count alike, however many there are.
    """
    c = curve(scores, same, weight)
    genuine, impostors = (0.5, 0.5) if balanced else (c.genuine / (c.genuine + c.impostors), c.impostors / (c.genuine + c.impostors))
    accuracy = genuine * (1 - c.frr) + impostors * (1 - c.far)
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    levels = c.threshold[:-1]
    inner = best[(best > 0) & (best < len(levels))]
    if len(inner):
        i = inner[np.argmax(levels[inner] - levels[inner - 1])]
        threshold = (levels[i - 1] + levels[i]) / 2
    else:  # all are accepted, or all refused
        threshold = levels[0] if best[0] == 0 else np.nextafter(levels[-1], np.inf)
    return float(threshold), float(accuracy.max())


def accuracy_folds(scores: np.ndarray, same: np.ndarray, fold: np.ndarray, balanced: bool = False) -> FoldAccuracy:
    """Each fold at the threshold of all others. fold: a number for each pair, -1 leaves it out."""
    scores, same, _ = checked(scores, same, None)
    fold = np.asarray(fold)
    if fold.shape != scores.shape:
        raise ValueError(f"fold is one number a pair, not {fold.shape} for {scores.shape}")
    names = np.unique(fold[fold != UNUSED])
    if len(names) < 2:
        raise ValueError(f"a threshold from other folds needs two folds or more; there is {len(names)}")
    accuracy, thresholds = [], []
    for name in names:
        here, others = fold == name, (fold != name) & (fold != UNUSED)
        threshold, _ = best_threshold(scores[others], same[others], balanced=balanced)
        right = (scores[here] >= threshold) == same[here]
        kinds = [right[same[here] == kind] for kind in (True, False)]
        if balanced and not all(map(len, kinds)):
            raise ValueError(f"fold {name} has {len(kinds[0])} genuine and {len(kinds[1])} impostor pairs; balanced needs both")
        accuracy.append(np.mean([kind.mean() for kind in kinds]) if balanced else right.mean())
        thresholds.append(threshold)
    values = np.array(accuracy)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return FoldAccuracy(float(values.mean()), error, values, np.array(thresholds), int((fold == UNUSED).sum()))
