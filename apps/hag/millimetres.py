"""What a regression learns instead of millimetres, and the way back (section 3.1).

Shapes: B batch.
"""

from math import log
from typing import Literal

import torch
from torch import Tensor

__all__ = ["BETA", "LARGEST", "SMALLEST", "Target", "to_mm", "to_target"]

Target = Literal["log", "linear"]

SMALLEST, LARGEST = 0.5, 100.0  # mm that can be answered; ours: the release ends at 22 mm, and so never says more
BETA = {"log": 0.1, "linear": 1.0}  # where SmoothL1 turns from a square to a line


def to_target(mm_B: Tensor, target: Target) -> Tensor:
    """log: ln mm, so that errors are relative. linear: the release's scale, -1 at 0.5 mm and 1 at 20 mm."""
    return mm_B.clamp(SMALLEST, LARGEST).log() if target == "log" else (mm_B - 0.5) / 19.5 * 2 - 1


def to_mm(y_B: Tensor, target: Target) -> Tensor:
    if target == "log":
        return torch.exp(y_B.clamp(log(SMALLEST), log(LARGEST)))
    return ((y_B + 1) / 2 * 19.5 + 0.5).clamp(SMALLEST, LARGEST)
