"""How sure is sure: one temperature a branch, and the confidence below which the answer is "none of these", both from validation.

Shapes: M blocks of a branch, N pictures, K classes.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from apps.dcal.answering import mean, probabilities

__all__ = ["REFUSED", "fit_temperature", "mix", "threshold"]

REFUSED = 0.05  # ours: the share of known validation pictures that may be taken for unknown
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits_MNK: Tensor, labels_N: Tensor, steps: int = 60) -> float:
    """The temperature of least cross-entropy: a golden-section search, the loss has one valley in log T.

    Counted as if one more picture had been answered wrongly (Platt, 1999): where none is, the best temperature would be zero.
    """
    logits_NK = logits_MNK.double().flatten(0, 1)
    labels_N = labels_N.repeat(len(logits_MNK))
    classes = logits_NK.shape[1]
    smoothing = classes / (classes - 1) / (len(labels_N) + 2)  # leaves (N + 1) / (N + 2) to the true class
    low, high = (torch.tensor(end, dtype=torch.float64).log().item() for end in (LOWEST, HIGHEST))
    golden = (5**0.5 - 1) / 2

    def loss(log_t: float) -> float:
        return cross_entropy(logits_NK / torch.tensor(log_t, dtype=torch.float64).exp(), labels_N, label_smoothing=smoothing).item()

    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(torch.tensor((low + high) / 2).exp())


def mix(logits: dict[str, Tensor], temperatures: dict[str, float]) -> Tensor:
    """Class probabilities (N,K) from logits (M,N,K) by branch: the mean of the branches."""
    return mean([probabilities(value_MNK, temperatures.get(name, 1.0)) for name, value_MNK in logits.items()])


def threshold(probs_NK: Tensor, refused: float = REFUSED) -> float:
    """The highest probability that `refused` of these pictures stay below."""
    return float(probs_NK.amax(-1).double().quantile(refused))
