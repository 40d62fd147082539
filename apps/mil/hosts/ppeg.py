"""Position by convolution: a bag's instances, in their order, on a square, and three depthwise convolutions over it (section 2.4).

What is missing to the square are the first instances once more. The three kernels are added into one, and each of its 49 places is a
look-up, so bags of any sizes go together.

Shapes: T instances of all bags, S bags, D width.
"""

import torch
from torch import Tensor, nn

from kernels.ragged import segment_of

__all__ = ["Ppeg"]

LARGEST = 7


class Ppeg(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(dim, dim, size, padding=size // 2, groups=dim) for size in (7, 5, 3))

    def forward(self, x_TD: Tensor, offsets: Tensor) -> Tensor:
        kernel_D77, bias_D = self._kernel()
        segment_T = segment_of(x_TD[:, 0], offsets)
        n_T, first_T = offsets.diff()[segment_T], offsets[segment_T]
        side_T = n_T.double().sqrt().ceil().long()
        place_T = torch.ones_like(segment_T).cumsum(0) - 1 - first_T
        row_T, column_T = place_T // side_T, place_T % side_T
        y_TD = x_TD + bias_D
        reach = LARGEST // 2
        for dr in range(-reach, reach + 1):
            for dc in range(-reach, reach + 1):
                r_T, c_T = row_T + dr, column_T + dc
                inside_T = (r_T >= 0) & (r_T < side_T) & (c_T >= 0) & (c_T < side_T)
                at_T = r_T * side_T + c_T
                at_T = torch.where(at_T >= n_T, at_T - n_T, at_T)
                at_T = torch.where(inside_T, first_T + at_T, 0)
                y_TD = y_TD + kernel_D77[:, dr + reach, dc + reach] * (x_TD.index_select(0, at_T) * inside_T.unsqueeze(-1))
        return y_TD

    def _kernel(self) -> tuple[Tensor, Tensor]:
        kernels, biases = [], []
        for conv in self.convs:
            edge = (LARGEST - conv.kernel_size[0]) // 2  # type: ignore[index]
            kernels.append(nn.functional.pad(conv.weight[:, 0], (edge, edge, edge, edge)))  # type: ignore[index]
            biases.append(conv.bias)
        return torch.stack(kernels).sum(0), torch.stack(biases).sum(0)
