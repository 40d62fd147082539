"""How far confidence is from accuracy, as a pure function of a whole split."""

import torch
from torch import Tensor

__all__ = ["calibration_error"]


def calibration_error(sure_N: Tensor, right_N: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error over bins of equal mass: mean distance of confidence and accuracy.

    Bins of equal width hold nearly all items of a sure model in one, and say little about the rest.
    """
    order_N = sure_N.argsort(stable=True)
    gap_N = (sure_N.double() - right_N.double())[order_N]
    return torch.stack([part.sum().abs() for part in gap_N.tensor_split(bins)]).sum() / max(1, len(sure_N))
