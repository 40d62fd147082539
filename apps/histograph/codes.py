"""Kinds to numbers: a column of whole numbers that name kinds becomes one column a kind.

The linear map behind it holds a vector for each kind, and their sum is
what Hu et al. (arXiv 2005.00687) call the encoder of atoms or bonds.

Shapes: N rows, C columns of kinds, T kinds of all columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["MultiHot"]


class MultiHot(nn.Module):
    """A number that names no kind makes its row NaN, never the row of another kind.

    >>> MultiHot([2, 3])(torch.tensor([[1.0, 2.0]]))
    tensor([[0., 1., 0., 0., 1.]])
    """

    column_T: Tensor
    kind_T: Tensor
    count_C: Tensor

    def __init__(self, counts: Sequence[int]) -> None:
        super().__init__()
        count_C = torch.tensor(list(counts))
        self.register_buffer("count_C", count_C, persistent=False)
        self.register_buffer("column_T", torch.arange(len(count_C)).repeat_interleave(count_C), persistent=False)
        self.register_buffer("kind_T", torch.cat([torch.arange(count) for count in counts]), persistent=False)

    def forward(self, x_NC: Tensor) -> Tensor:
        hot_NT = (x_NC.index_select(1, self.column_T) == self.kind_T).to(x_NC.dtype)
        strange_NC = (x_NC < 0) | (x_NC >= self.count_C) | (x_NC != x_NC.round())
        return hot_NT.masked_fill(strange_NC.any(1, keepdim=True), float("nan"))
