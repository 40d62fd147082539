"""The mean of a number, kind by kind, over all processes."""

import torch
from torch import Tensor
from torchmetrics import Metric

from datamodules.accord.instances import KINDS

__all__ = ["ByKind"]


class ByKind(Metric):
    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(len(KINDS), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(KINDS), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, kind: int, values_N: Tensor) -> None:
        self.sums[kind] += values_N.double().sum()
        self.counts[kind] += values_N.numel()

    def compute(self) -> Tensor:
        """(kinds,), NaN of what was not seen."""
        return self.sums / self.counts

    def named(self) -> dict[str, float]:
        """Of the kinds that were seen."""
        return {kind: value for kind, value in zip(KINDS, self.compute().tolist(), strict=True) if value == value}
