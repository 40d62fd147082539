"""The functions of scores.py over a split, gathered over batches and processes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["OfSplit", "PerBag"]


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

    def compute(self) -> Tensor:
        if not len(self.probs):  # type: ignore[arg-type]
            return torch.tensor(torch.nan)
        probs, labels = (torch.as_tensor(dim_zero_cat(parts)).cpu() for parts in (self.probs, self.label))  # type: ignore[arg-type]
        return torch.as_tensor(self.function(probs, labels), dtype=torch.float64)


class PerBag(Metric):
    """Numbers of each bag, `index` in the first column, in the order of the set."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, values: Tensor) -> None:
        self.rows.append(torch.cat([index.double().unsqueeze(1), values.detach().double()], 1))  # type: ignore[union-attr,operator]

    def compute(self) -> Tensor | None:
        """float64 (N,1+K), on the CPU."""
        if not len(self.rows):  # type: ignore[arg-type]
            return None
        rows = torch.as_tensor(dim_zero_cat(self.rows)).cpu()  # type: ignore[arg-type]
        return rows[rows[:, 0].argsort()]
