"""Learned weights of the branches' losses, after Kendall et al.: L = 1/2 sum_b (exp(-w_b) L_b + w_b) (section 2.5)."""

import torch
from torch import Tensor, nn

__all__ = ["UncertaintyWeights"]


class UncertaintyWeights(nn.Module):
    """At its best w_b is log L_b, so each branch pulls by its relative error; the total may fall below zero, and that is no mistake."""

    def __init__(self, names: list[str], lowest: float = -3.0) -> None:
        super().__init__()
        self.w = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})
        self.lowest = lowest

    def forward(self, losses: dict[str, Tensor], together: bool = False) -> Tensor:
        """Of the branches that have a loss in this step; the weight of one that was skipped stays where it is.

        together: several processes train, and one of them may have a loss that another has not. All must give a gradient of each
        weight, or the others wait for it: that of a skipped branch is zero.
        """
        terms = [torch.exp(-self.w[name]) * loss + self.w[name] for name, loss in losses.items()]
        total = 0.5 * torch.stack(terms).sum()
        if together:
            total = total + sum(0.0 * w for name, w in self.w.items() if name not in losses)
        return total

    @torch.no_grad()
    def project(self) -> None:
        """After an optimiser step. A clamp inside the graph would kill the gradient at the bound."""
        for w in self.w.values():
            w.clamp_(min=self.lowest)
