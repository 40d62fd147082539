"""Class metrics from a confusion matrix over a fixed list of classes (section 5.4), with an answer to every 0/0.

precision, recall: 0/0 is 0. f1 = 2TP / (2TP + FP + FN): 0/0, a class that is neither there nor answered, is NaN and in no mean.
macro_f1 and balanced_accuracy: over the classes that are there. An answer that is none (the last column) is a miss of its class, and of
no other. `remarks` says which of these happened.

Shapes: (..., K, K+1) true class by answered class.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["class_metrics", "confusion_matrix", "remarks"]


def confusion_matrix(true: np.ndarray, given: np.ndarray, count: int) -> np.ndarray:
    """(K,K+1) of class numbers; an answer outside of 0..K-1 is none."""
    true, given = np.asarray(true, np.int64), np.asarray(given, np.int64)
    if true.shape != given.shape or true.ndim != 1 or ((true < 0) | (true >= count)).any():
        raise ValueError(f"true and given are one class a frame, and true ones are 0 to {count - 1}; shapes {true.shape}, {given.shape}")
    cells = true * (count + 1) + np.where((given < 0) | (given >= count), count, given)
    return np.bincount(cells, minlength=count * (count + 1)).reshape(count, count + 1)


def _divided(above: np.ndarray, below: np.ndarray, otherwise: float) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), otherwise)


def class_metrics(confusion_KJ: np.ndarray, names: Sequence[str], absent: float = 0.0) -> dict[str, np.ndarray]:
    """macro_f1, weighted_f1, balanced_accuracy, accuracy, and precision, recall and f1 of each class; NaN where nothing is there at all.

    absent: the recall of a class that is not there; NaN for draws of a bootstrap, which are then left out.
    """
    confusion_KJ = np.asarray(confusion_KJ, np.float64)
    count = len(names)
    if confusion_KJ.shape[-2:] != (count, count + 1):
        raise ValueError(f"the confusion matrix of {count} classes is {count} x {count + 1}, not {confusion_KJ.shape[-2:]}")
    hits = np.diagonal(confusion_KJ[..., :count], axis1=-2, axis2=-1)
    there, answered = confusion_KJ.sum(-1), confusion_KJ[..., :count].sum(-2)
    total, present = there.sum(-1), there > 0
    precision, recall = _divided(hits, answered, 0.0), _divided(hits, there, absent)
    f1 = _divided(2 * hits, there + answered, np.nan)
    kinds = present.sum(-1)

    def mean(values: np.ndarray, weight: np.ndarray, below: np.ndarray) -> np.ndarray:
        return _divided((np.where(weight > 0, values, 0.0) * weight).sum(-1), below, np.nan)

    found = {
        "macro_f1": mean(f1, present, kinds),
        "weighted_f1": mean(f1, there, total),
        "balanced_accuracy": mean(recall, present, kinds),
        "accuracy": _divided(hits.sum(-1), total, np.nan),
    }
    for i, name in enumerate(names):
        found |= {f"precision_{name}": precision[..., i], f"recall_{name}": recall[..., i], f"f1_{name}": f1[..., i]}
    nothing = total == 0
    return {name: np.where(nothing, np.nan, value) for name, value in found.items()}


def remarks(confusion_KJ: np.ndarray, names: Sequence[str]) -> list[str]:
    """Every 0/0 of this matrix, and the answers that are none, in words."""
    confusion_KJ = np.asarray(confusion_KJ)
    count = len(names)
    said = []
    if not confusion_KJ.sum():
        return ["nothing to measure: no frame of a known class"]
    for i, name in enumerate(names):
        there, answered = confusion_KJ[i].sum() > 0, confusion_KJ[:, i].sum() > 0
        if not there and not answered:
            said.append(f"{name}: neither there nor answered; precision and recall are 0/0, told as 0; F1 has no value and is in no mean")
        elif not there:
            said.append(f"{name}: not there; recall is 0/0, told as 0, and in no mean")
        elif not answered:
            said.append(f"{name}: never answered; precision is 0/0, told as 0")
    if none := confusion_KJ[:, count].sum():
        said.append(f"{none:g} without an answer count as misses")
    return said
