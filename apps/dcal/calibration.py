"""How sure is sure: one temperature a branch, and the confidence below which the answer is "none of these", both from validation.

Shapes: M blocks of a branch, N pictures, K classes.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy

from apps.base.calibration import best_temperature
from apps.dcal.answering import mean, probabilities

__all__ = ["REFUSED", "fit_temperature", "mix", "threshold"]

REFUSED = 0.05  # ours: the share of known validation pictures that may be taken for unknown


def fit_temperature(logits_MNK: Tensor, labels_N: Tensor) -> float:
    """The temperature of least cross-entropy, which has one valley in log T.

    Counted as if one more picture had been answered wrongly (Platt, 1999): where none is, the best temperature would be zero.
    """
    logits_NK = logits_MNK.double().flatten(0, 1)
    labels_N = labels_N.repeat(len(logits_MNK))
    classes = logits_NK.shape[1]
    smoothing = classes / (classes - 1) / (len(labels_N) + 2)  # leaves (N + 1) / (N + 2) to the true class

    def loss(temperature: float) -> float:
        return cross_entropy(logits_NK / temperature, labels_N, label_smoothing=smoothing).item()

    return best_temperature(loss)


def mix(logits: dict[str, Tensor], temperatures: dict[str, float]) -> Tensor:
    """Class probabilities (N,K) from logits (M,N,K) by branch: the mean of the branches."""
    return mean([probabilities(value_MNK, temperatures.get(name, 1.0)) for name, value_MNK in logits.items()])


def threshold(probs_NK: Tensor, refused: float = REFUSED) -> float:
    """The highest probability that `refused` of these pictures stay below."""
    return float(probs_NK.amax(-1).double().quantile(refused))
