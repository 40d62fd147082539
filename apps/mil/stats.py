"""The classical answer that a bag model has to beat on small sets: minimum, mean and maximum of the instances, and trees."""

from typing import Any

import numpy as np

__all__ = ["bag_statistics", "tree_probabilities", "tree_risks"]

TREES = 400


def bag_statistics(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x.min(0), x.mean(0), x.max(0)])


def tree_probabilities(data: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities (N,C), labels (N,)) of the test split, by trees grown on the training split."""
    from sklearn.ensemble import ExtraTreesClassifier

    train, test = data.known_of("train"), data.known_of("test")
    trees = ExtraTreesClassifier(TREES, random_state=seed).fit(_table(data, "train"), train["label"])
    probs = np.zeros((len(test["label"]), len(data.classes)))
    probs[:, trees.classes_] = trees.predict_proba(_table(data, "test"))
    return probs, test["label"]


def tree_risks(data: Any, seed: int = 0) -> np.ndarray:
    """(N,) of the test split: trees grown on what a bag's event exceeds its share of the common hazard by (martingale residuals)."""
    from sklearn.ensemble import ExtraTreesRegressor

    train = data.known_of("train")
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=3, random_state=seed)
    return trees.fit(_table(data, "train"), martingale(train["time"], train["label"])).predict(_table(data, "test"))


def martingale(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """event - H(time) with Nelson and Aalen's cumulative hazard H of all; the residuals add up to 0."""
    moments, place = np.unique(time, return_inverse=True)
    died = np.bincount(place, event, len(moments))
    at_risk = np.bincount(place, minlength=len(moments))[::-1].cumsum()[::-1]
    return event - (died / at_risk).cumsum()[place]


def _table(data: Any, part: str) -> np.ndarray:
    return np.stack([bag_statistics(x) for x in data.bags_of(part)])
