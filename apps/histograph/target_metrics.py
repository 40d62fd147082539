"""How well several targets are answered, where some labels are unknown (NaN). Every figure is of each target, then their mean.

Shapes: S graphs, T targets.
"""

import math

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from apps.base.errors import UserError

__all__ = ["AveragePrecision", "MeanError", "RocAuc", "RootError", "Variance", "average_precision", "roc_auc"]


def roc_auc(score_S: Tensor, label_S: Tensor) -> float:
    """The chance that a positive stands above a negative, ties counting half; NaN where one class only is known."""
    known = ~label_S.isnan()
    score_S, positive_S = score_S[known].double(), label_S[known] > 0.5
    positives, negatives = int(positive_S.sum()), int((~positive_S).sum())
    if not positives or not negatives:
        return math.nan
    _, group_S, count_G = score_S.unique(return_inverse=True, return_counts=True)
    rank_G = count_G.cumsum(0) - (count_G - 1) / 2  # the mean of the ranks that ties share, counted from 1
    ranks = float(rank_G[group_S][positive_S].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(score_S: Tensor, label_S: Tensor) -> float:
    """Sum over thresholds of (recall gained) x precision; ties share a threshold. NaN where one class only is known."""
    known = ~label_S.isnan()
    score_S, positive_S = score_S[known].double(), label_S[known] > 0.5
    positives = int(positive_S.sum())
    if not positives or positives == len(positive_S):
        return math.nan
    order = score_S.argsort(descending=True, stable=True)
    found_S = positive_S[order].cumsum(0)
    last_S = torch.cat([score_S[order].diff() != 0, torch.ones(1, dtype=torch.bool, device=score_S.device)])  # of each tie
    found_G = found_S[last_S].double()
    above_G = (torch.arange(len(order), device=score_S.device) + 1)[last_S]
    gained_G = found_G.diff(prepend=found_G.new_zeros(1)) / positives
    return float((gained_G * found_G / above_G).sum())


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
        return {name: self.of(score_ST[:, i], label_ST[:, i]) for i, name in enumerate(self.names)}

    def compute(self) -> Tensor:
        found = [value for value in self.each().values() if not math.isnan(value)]
        if not found:
            raise UserError("no task has a positive and a negative graph in this split: there is nothing to rank; see 'discern data check'")
        return torch.tensor(sum(found) / len(found))

    def of(self, score_S: Tensor, label_S: Tensor) -> float:
        raise NotImplementedError


class RocAuc(_Ranked):
    def of(self, score_S: Tensor, label_S: Tensor) -> float:
        return roc_auc(score_S, label_S)


class AveragePrecision(_Ranked):
    def of(self, score_S: Tensor, label_S: Tensor) -> float:
        return average_precision(score_S, label_S)


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
