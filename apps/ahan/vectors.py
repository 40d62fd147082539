"""The embedding of every image of a split, gathered over batches and processes."""

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["Vectors"]


class Vectors(Metric):
    """Shapes: B batch, N images, E width of the embedding."""

    full_state_update = False
    NAMES = ("vectors", "number")

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, vectors_BE: Tensor, number_B: Tensor) -> None:
        """number: of each image in its table (a batch's `id`)."""
        for name, value in zip(self.NAMES, (vectors_BE.detach().float(), number_B), strict=True):
            getattr(self, name).append(value)

    def compute(self) -> tuple[np.ndarray, np.ndarray]:
        """((N,E), numbers (N,)), in float64, in whatever order the processes saw them."""
        vectors_NE, number_N = (torch.as_tensor(dim_zero_cat(getattr(self, name))).cpu().numpy() for name in self.NAMES)
        return vectors_NE.astype(np.float64), number_N
