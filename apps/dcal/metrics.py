"""Scores of a whole split, gathered over batches and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["Gathered"]


class Gathered(Metric):
    """Logits by branch, and labels, of every picture of a split.

    Shapes: B batch, N pictures, M blocks of a branch, K classes.
    """

    full_state_update = False

    def __init__(self, branches: list[str]) -> None:
        super().__init__()
        self.branches = branches
        for name in ("label", *branches):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, logits: dict[str, Tensor], labels: Tensor) -> None:
        """logits: (M,B,K) by branch."""
        self.label.append(labels)  # type: ignore[union-attr,operator]
        for name in self.branches:
            getattr(self, name).append(logits[name].detach().float().transpose(0, 1))

    def compute(self) -> tuple[dict[str, Tensor], Tensor]:
        """((M,N,K) by branch, labels (N,)), on the CPU."""
        logits = {name: dim_zero_cat(getattr(self, name)).transpose(0, 1).cpu() for name in self.branches}
        return logits, torch.as_tensor(dim_zero_cat(self.label)).cpu()  # type: ignore[arg-type]
