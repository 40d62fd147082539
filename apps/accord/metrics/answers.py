"""What was answered to each problem, gathered from all processes: integers, a column each.

N answers.
"""

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from datamodules.accord.instances import KINDS

__all__ = ["Answers"]

FIRST = ("kind", "number", "best")


class Answers(Metric):
    """Columns `kind`, `number` and `best`, and those named."""

    full_state_update = False
    rows: list[Tensor]

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = (*FIRST, *names)
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(self, **columns: Tensor) -> None:
        count = len(columns["number"])
        self.rows.append(torch.stack([columns[name].long().expand(count) for name in self.names], 1))

    def compute(self) -> dict[str, np.ndarray]:
        """In order of number, each once."""
        table = dim_zero_cat(self.rows).cpu().numpy() if self.rows else np.zeros((0, len(self.names)), np.int64)
        _, first = np.unique(table[:, 1], return_index=True)
        return {name: table[first, i] for i, name in enumerate(self.names)}

    @staticmethod
    def by_kind(table: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
        """The table of each kind that is in it."""
        return {
            kind: {name: column[table["kind"] == i] for name, column in table.items()}
            for i, kind in enumerate(KINDS)
            if (table["kind"] == i).any()
        }
