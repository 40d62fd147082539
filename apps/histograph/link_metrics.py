"""Where links stand among pairs that are none: the measures of link prediction besides AUC and AP.

Shapes: P links, M pairs that are none, R pairs of a batch.
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["LinkRanks", "ranks"]


def ranks(link_P: Tensor, none_M: Tensor) -> Tensor:
    """The rank of each link among all pairs that are none, from 1, by their scores; a tie counts against the link, and so does a NaN.

    >>> ranks(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))
    tensor([1, 2])
    """
    link_P, none_M = link_P.where(~link_P.isnan(), -torch.inf), none_M.where(~none_M.isnan(), torch.inf)
    return 1 + len(none_M) - torch.searchsorted(none_M.sort().values, link_P)  # those with at least its score


class LinkRanks(Metric):
    """MRR: the mean of 1 / rank, where every link of the split is ranked among the same pairs: all that were drawn for the split.

    `hits` is by K the share of links whose rank is K or better.
    """

    KS = (10, 50, 100)

    full_state_update = False
    score: list[Tensor]
    label: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("score", [], dist_reduce_fx="cat")
        self.add_state("label", [], dist_reduce_fx="cat")

    def update(self, score_R: Tensor, label_R: Tensor) -> None:
        self.score.append(score_R.detach())
        self.label.append(label_R.detach())

    def compute(self) -> Tensor:
        return self._ranks()[0].double().reciprocal().mean().float()

    def hits(self) -> dict[int, float]:
        """With K pairs and fewer every link would be among the K best: such a K says nothing and is left out."""
        rank_P, others = self._ranks()
        return {k: float((rank_P <= k).double().mean()) for k in self.KS if k < others}

    def _ranks(self) -> tuple[Tensor, int]:
        score, link = dim_zero_cat(self.score), dim_zero_cat(self.label) > 0
        return ranks(score[link], score[~link]), int((~link).sum())
