"""Does a reader know when it is wrong: of whole words by their confidence, of characters by the verifier.

Shapes: N words or characters.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from apps.base.calibration import calibration_error
from apps.base.ranking import auc

__all__ = ["Confidence", "confidence", "risk_coverage"]


class Confidence(NamedTuple):
    auroc: float  # the chance that a right one is surer than a wrong one; NaN where all are right, or wrong
    risk_coverage: float  # area below the share of wrong ones among the surest, in 0..1; less is better
    calibration_error: float  # 15 bins of equal mass


def confidence(sure_N: Tensor, right_N: Tensor) -> Confidence:
    """sure_N: confidence in 0..1; right_N: whether the answer was right."""
    if sure_N.shape != right_N.shape or sure_N.dim() != 1:
        raise ValueError(f"one confidence for every answer, got {tuple(sure_N.shape)} and {tuple(right_N.shape)}")
    return Confidence(
        auc(sure_N, right_N).item(),
        risk_coverage(sure_N, right_N).item(),
        calibration_error(sure_N, right_N).item() if len(sure_N) else torch.nan,
    )


def risk_coverage(sure_N: Tensor, right_N: Tensor) -> Tensor:
    """The mean over n of the share of wrong ones among the n surest; equally sure ones share their errors evenly. NaN of none."""
    if not len(sure_N):
        return torch.tensor(torch.nan, dtype=torch.float64)
    _, group_N, counts_G = sure_N.double().unique(return_inverse=True, return_counts=True)
    wrong_G = torch.zeros(len(counts_G), dtype=torch.float64).index_add(0, group_N, (~right_N.bool()).double())
    wrong_N = (wrong_G / counts_G)[group_N][sure_N.argsort(descending=True, stable=True)]
    return (wrong_N.cumsum(0) / torch.arange(1, len(wrong_N) + 1)).mean()
