"""How well several targets are answered, where some labels are unknown (NaN). Every figure is of each target, then their mean.

Shapes: S graphs, T targets.
"""

import math

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.base.errors import UserError
from apps.base.ranking import auc, average_precision

__all__ = ["AveragePrecision", "MeanError", "RocAuc", "RootError", "Variance"]


class _Ranked(Metric):
    """Keeps all scores and labels: ranks need them together."""

    full_state_update = False
    score: list[Tensor]
    label: list[Tensor]

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names
        self.add_state("score", [], dist_reduce_fx="cat")
        self.add_state("label", [], dist_reduce_fx="cat")

    def update(self, score_ST: Tensor, label_ST: Tensor) -> None:
        self.score.append(score_ST.detach().float())
        self.label.append(label_ST.detach().float())

    def each(self) -> dict[str, float]:
        """Of each target; NaN where one class only is known."""
        score_ST, label_ST = dim_zero_cat(self.score), dim_zero_cat(self.label)
        found = {}
        for i, name in enumerate(self.names):
            known_S = ~label_ST[:, i].isnan()
            found[name] = float(self.of(score_ST[known_S, i], label_ST[known_S, i] > 0.5))
        return found

    def compute(self) -> Tensor:
        found = [value for value in self.each().values() if not math.isnan(value)]
        if not found:
            raise UserError("no task has a positive and a negative graph in this split: there is nothing to rank; see 'discern data check'")
        return torch.tensor(sum(found) / len(found))

    @staticmethod
    def of(scores_N: Tensor, positive_N: Tensor) -> Tensor:
        raise NotImplementedError


class RocAuc(_Ranked):
    of = staticmethod(auc)


class AveragePrecision(_Ranked):
    of = staticmethod(average_precision)


class _Summed(Metric):
    """Counts, errors and squares of each target, from sums."""

    full_state_update = False
    sums: Tensor  # (5,T): count, sum of |error|, of error^2, of the target, of its square

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names
        self.add_state("sums", torch.zeros(5, len(names), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, out_ST: Tensor, y_ST: Tensor) -> None:
        known_ST = ~y_ST.isnan()
        y_ST = y_ST.detach().double().nan_to_num()
        off_ST = (out_ST.detach().double() - y_ST) * known_ST
        self.sums += torch.stack([known_ST.sum(0), off_ST.abs().sum(0), off_ST.square().sum(0), y_ST.sum(0), y_ST.square().sum(0)])

    def each(self) -> dict[str, float]:
        """Of each target; NaN where none is known."""
        return dict(zip(self.names, self.of(*self.sums).tolist(), strict=True))

    def compute(self) -> Tensor:
        return self.of(*self.sums).nanmean().float()

    def of(self, n_T: Tensor, off_T: Tensor, square_T: Tensor, y_T: Tensor, y2_T: Tensor) -> Tensor:
        raise NotImplementedError


class MeanError(_Summed):
    def of(self, n_T: Tensor, off_T: Tensor, square_T: Tensor, y_T: Tensor, y2_T: Tensor) -> Tensor:
        return off_T / n_T


class RootError(_Summed):
    def of(self, n_T: Tensor, off_T: Tensor, square_T: Tensor, y_T: Tensor, y2_T: Tensor) -> Tensor:
        return (square_T / n_T).sqrt()


class Variance(_Summed):
    """R^2: the share of the targets' variance that is explained; NaN where a target does not vary."""

    def of(self, n_T: Tensor, off_T: Tensor, square_T: Tensor, y_T: Tensor, y2_T: Tensor) -> Tensor:
        spread_T = y2_T - y_T.square() / n_T
        return torch.where(spread_T > 1e-9 * y2_T, 1 - square_T / spread_T, torch.nan)
