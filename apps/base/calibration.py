"""How far confidence is from accuracy, as a pure function of a whole split; and the temperature at which a loss is least."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["best_temperature", "calibration_error"]

LOWEST, HIGHEST = 0.05, 20.0


def calibration_error(sure_N: Tensor, right_N: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error over bins of equal mass: mean distance of confidence and accuracy.

    Bins of equal width hold nearly all items of a sure model in one, and say little about the rest.
    """
    order_N = sure_N.argsort(stable=True)
    gap_N = (sure_N.double() - right_N.double())[order_N]
    return torch.stack([part.sum().abs() for part in gap_N.tensor_split(bins)]).sum() / max(1, len(sure_N))


def best_temperature(loss: Callable[[float], float], steps: int = 60) -> float:
    """Where the loss is least, between LOWEST and HIGHEST: a golden-section search, so it needs one valley in log T."""
    low, high = math.log(LOWEST), math.log(HIGHEST)
    golden = (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)
