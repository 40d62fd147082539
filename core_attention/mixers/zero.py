"""A linear map that begins at zero, so that a mixer starts as plain attention.

Shapes: D width in, O width out.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

__all__ = ["ZeroLinear"]


class ZeroLinear(nn.Module):
    """Not an nn.Linear: a trunk draws the weights of those anew, and would end the beginning."""

    def __init__(self, dim: int, out: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out, dim))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None

    def forward(self, x_BND: Tensor) -> Tensor:
        return linear(x_BND, self.weight, self.bias)
