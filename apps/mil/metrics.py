"""The functions of scores.py over a split, gathered over batches and processes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["OfSplit"]


class OfSplit(Metric):
    """One number of all answers of a split: `function(probs (N,C), labels (N,))`."""

    full_state_update = False

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor | float]) -> None:
        super().__init__()
        self.function = function
        for name in ("probs", "label"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, probs: Tensor, label: Tensor) -> None:
        self.probs.append(probs.detach().float())  # type: ignore[union-attr,operator]
        self.label.append(label)  # type: ignore[union-attr,operator]

    def gathered(self) -> tuple[Tensor, Tensor]:
        """On the CPU."""
        return torch.as_tensor(dim_zero_cat(self.probs)).cpu(), torch.as_tensor(dim_zero_cat(self.label)).cpu()  # type: ignore[arg-type]

    def compute(self) -> Tensor:
        if not len(self.probs):  # type: ignore[arg-type]
            return torch.tensor(torch.nan)
        return torch.as_tensor(self.function(*self.gathered()), dtype=torch.float32)
