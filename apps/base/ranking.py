"""How well scores rank what is looked for above the rest, as pure functions of a whole split.

Shapes: N items, G groups of equal scores.
"""

import torch
from torch import Tensor

__all__ = ["auc", "average_precision"]


def auc(scores_N: Tensor, positive_N: Tensor) -> Tensor:
    """The chance that a positive stands above a negative (Mann-Whitney), a tie counts one half; NaN where one class is missing."""
    scores_N, positive_N = scores_N.double(), positive_N.bool()
    _, inverse_N, counts_G = scores_N.unique(return_inverse=True, return_counts=True)
    rank_N = (counts_G.cumsum(0) - (counts_G - 1) / 2).to(scores_N)[inverse_N]  # equal scores share their mean rank
    ones, zeros = positive_N.sum(), (~positive_N).sum()
    if not ones or not zeros:
        return scores_N.new_tensor(torch.nan)
    return (rank_N[positive_N].sum() - ones * (ones + 1) / 2) / (ones * zeros)


def average_precision(scores_N: Tensor, positive_N: Tensor) -> Tensor:
    """The mean precision over the positives, equal scores taken together; NaN where one class is missing."""
    scores_N, positive_N = scores_N.double(), positive_N.bool()
    if positive_N.all() or not positive_N.any():
        return scores_N.new_tensor(torch.nan)
    _, inverse_N, counts_G = scores_N.unique(return_inverse=True, return_counts=True)
    hit_G = torch.zeros_like(counts_G, dtype=torch.float64).index_add(0, inverse_N, positive_N.double()).flip(0)
    precision_G = hit_G.cumsum(0) / counts_G.flip(0).cumsum(0)
    return (precision_G * hit_G).sum() / hit_G.sum()
