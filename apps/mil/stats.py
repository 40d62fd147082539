"""The classical answer that a bag model has to beat on small sets: minimum, mean and maximum of the instances, and trees."""

from typing import Any

import numpy as np

__all__ = ["bag_statistics", "tree_probabilities"]

TREES = 400


def bag_statistics(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x.min(0), x.mean(0), x.max(0)])


def tree_probabilities(data: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities (N,C), labels (N,)) of the test split, by trees grown on the training split."""
    from sklearn.ensemble import ExtraTreesClassifier

    def table(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([bag_statistics(data.source.read(int(i))) for i in indices]), data.known["label"][indices]

    x, y = table(data.parts.train)
    trees = ExtraTreesClassifier(TREES, random_state=seed).fit(x, y)
    x, y = table(data.parts.test)
    probs = np.zeros((len(y), len(data.classes)))
    probs[:, trees.classes_] = trees.predict_proba(x)
    return probs, y
