"""What is said of a whole split's answers, as pure functions (section 5.3), and the threshold that validation sets.

Shapes: N bags, C classes.
"""

from typing import Any

import torch
from torch import Tensor

from apps.base.ranking import auc, average_precision

__all__ = [
    "balanced_accuracy", "brier", "c_index", "calibration_error", "decide", "f1", "kappa", "macro_auc", "macro_average_precision",
    "margin", "precision", "recall", "threshold_of", "youden",
]  # fmt: skip

BINS = 10


def macro_auc(probs_NC: Tensor, labels_N: Tensor) -> Tensor:
    """Of two classes the AUC; of more the mean of each against the rest, classes that are missing left out."""
    if probs_NC.shape[1] == 2:
        return auc(probs_NC[:, 1], labels_N == 1)
    each = torch.stack([auc(probs_NC[:, c], labels_N == c) for c in range(probs_NC.shape[1])])
    return each.nanmean()


def macro_average_precision(probs_NC: Tensor, labels_N: Tensor) -> Tensor:
    """As macro_auc."""
    if probs_NC.shape[1] == 2:
        return average_precision(probs_NC[:, 1], labels_N == 1)
    return torch.stack([average_precision(probs_NC[:, c], labels_N == c) for c in range(probs_NC.shape[1])]).nanmean()


def brier(probs_NC: Tensor, labels_N: Tensor) -> Tensor:
    return (probs_NC - torch.nn.functional.one_hot(labels_N, probs_NC.shape[1])).square().sum(1).mean()


def calibration_error(probs_NC: Tensor, labels_N: Tensor, bins: int = BINS) -> Tensor:
    """How far probabilities are from how often they come true, over bins of equal mass: of two classes the second's probability, of more
    the answered one's. Equal probabilities share a bin, that of their mean rank, so that the order of bags does not matter."""
    two = probs_NC.shape[1] == 2
    said_N = (probs_NC[:, 1] if two else probs_NC.amax(1)).double()
    true_N = (labels_N == 1 if two else probs_NC.argmax(1) == labels_N).double()
    _, inverse_N, counts_G = said_N.unique(return_inverse=True, return_counts=True)
    rank_G = counts_G.cumsum(0) - (counts_G + 1) / 2  # from 0
    bin_N = ((rank_G + 0.5) * bins / len(said_N)).long().clamp(max=bins - 1)[inverse_N]
    gap_B = torch.zeros(bins, dtype=torch.float64).index_add(0, bin_N, said_N - true_N)
    return gap_B.abs().sum() / len(said_N)


def decide(probs_NC: Tensor, threshold: float) -> Tensor:
    """Of two classes the second from the threshold on; of more the likeliest."""
    return (probs_NC[:, 1] >= threshold).long() if probs_NC.shape[1] == 2 else probs_NC.argmax(1)


def margin(probs_NC: Tensor, threshold: float) -> Tensor:
    """(N,): how far `decide` is from another decision."""
    if probs_NC.shape[1] == 2:
        return (probs_NC[:, 1] - threshold).abs()
    top_N2 = probs_NC.topk(2).values
    return top_N2[:, 0] - top_N2[:, 1]


def threshold_of(facts: dict[str, Any]) -> float:
    """What validation set; one half before."""
    return float(facts.get("threshold", 0.5))


def youden(scores_N: Tensor, positive_N: Tensor) -> float:
    """The threshold with the largest TPR - FPR, half-way between neighbouring scores; 0.5 where one class is missing."""
    values = scores_N.double().unique()
    positive_N = positive_N.bool()
    if len(values) < 2 or positive_N.all() or not positive_N.any():
        return 0.5
    between = (values[1:] + values[:-1]) / 2
    above = scores_N.double().unsqueeze(0) >= between.unsqueeze(1)
    gain = above[:, positive_N].double().mean(1) - above[:, ~positive_N].double().mean(1)
    return float(between[int(gain.argmax())])


def balanced_accuracy(decided_N: Tensor, labels_N: Tensor) -> Tensor:
    """The mean of the classes' shares answered right, over the classes that are there."""
    return torch.stack([(decided_N[labels_N == c] == c).double().mean() for c in labels_N.unique()]).mean()


def precision(decided_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """Of two classes that of the second; of more the mean over the classes that are there. 0 where a class is not answered."""
    each = [((decided_N == c) & (labels_N == c)).sum() / (decided_N == c).sum().clamp(min=1) for c in range(classes)]
    return each[1].double() if classes == 2 else torch.stack([each[c] for c in labels_N.unique().tolist()]).double().mean()


def recall(decided_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """The same; NaN where there is none of the second of two classes. Of more classes it is the balanced accuracy."""
    if classes > 2:
        return balanced_accuracy(decided_N, labels_N)
    return (decided_N[labels_N == 1] == 1).double().mean()


def kappa(decided_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """Cohen's with quadratic weights, for classes that stand in an order; NaN where everything is one class."""
    counts_CC = torch.bincount(labels_N * classes + decided_N, minlength=classes**2).reshape(classes, classes).double()
    place_C = torch.arange(classes, dtype=torch.float64)
    weight_CC = (place_C[:, None] - place_C[None]).square()
    chance_CC = counts_CC.sum(1, keepdim=True) * counts_CC.sum(0, keepdim=True) / counts_CC.sum()
    expected = (weight_CC * chance_CC).sum()
    return 1 - (weight_CC * counts_CC).sum() / expected if expected else torch.tensor(torch.nan, dtype=torch.float64)


def f1(decided_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """Of two classes that of the second; of more the mean. 0 where a class is neither there nor answered."""
    each = []
    for c in range(classes):
        hit = ((decided_N == c) & (labels_N == c)).sum()
        each.append(2 * hit / ((decided_N == c).sum() + (labels_N == c).sum()).clamp(min=1))
    return each[1].double() if classes == 2 else torch.stack(each).double().mean()


def c_index(risk_N: Tensor, time_N: Tensor, event_N: Tensor) -> Tensor:
    """Of the pairs whose order is known, the share in which who dies earlier has the higher risk; equal risks count one half.

    Known: one had the event before the other's time, or at the very time at which the other was lost from sight.
    """
    event_N = event_N.bool()
    earlier_NN = (time_N[:, None] < time_N[None]) | ((time_N[:, None] == time_N[None]) & ~event_N[None])
    known_NN = earlier_NN & event_N[:, None]
    first_NN, second_NN = risk_N.double()[:, None], risk_N.double()[None]
    right_NN = (first_NN > second_NN).double() + 0.5 * (first_NN == second_NN).double()
    pairs = known_NN.sum()
    return (right_NN * known_NN).sum() / pairs if pairs else torch.tensor(torch.nan, dtype=torch.float64)
