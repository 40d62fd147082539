"""What is said of a whole split's answers, as pure functions (section 5.3), and the threshold that validation sets.

Shapes: N bags, C classes.
"""

import torch
from torch import Tensor

__all__ = ["auc", "balanced_accuracy", "c_index", "decide", "f1", "macro_auc", "youden"]


def auc(scores_N: Tensor, positive_N: Tensor) -> Tensor:
    """Mann-Whitney, a tie counts one half; NaN where one class is missing."""
    scores_N, positive_N = scores_N.double(), positive_N.bool()
    _, inverse_N, counts = scores_N.unique(return_inverse=True, return_counts=True)
    rank_N = (counts.cumsum(0) - (counts - 1) / 2).to(scores_N)[inverse_N]  # equal scores share their mean rank
    ones, zeros = positive_N.sum(), (~positive_N).sum()
    if not ones or not zeros:
        return torch.tensor(torch.nan, dtype=torch.float64)
    return (rank_N[positive_N].sum() - ones * (ones + 1) / 2) / (ones * zeros)


def macro_auc(probs_NC: Tensor, labels_N: Tensor) -> Tensor:
    """Of two classes the AUC; of more the mean of each against the rest, classes that are missing left out."""
    if probs_NC.shape[1] == 2:
        return auc(probs_NC[:, 1], labels_N == 1)
    each = torch.stack([auc(probs_NC[:, c], labels_N == c) for c in range(probs_NC.shape[1])])
    return each.nanmean()


def decide(probs_NC: Tensor, threshold: float) -> Tensor:
    """Of two classes the second from the threshold on; of more the likeliest."""
    return (probs_NC[:, 1] >= threshold).long() if probs_NC.shape[1] == 2 else probs_NC.argmax(1)


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
