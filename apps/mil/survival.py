"""What is minimised where a bag has a time instead of a class: discrete hazards, or Cox's partial likelihood, both with censoring.

Shapes: S bags, B bins of time.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["bin_edges", "bin_of", "cox_loss", "hazard_loss", "survival_of"]


def bin_edges(time_N: Tensor, event_N: Tensor, bins: int) -> list[float]:
    """The bins - 1 times between bins: quantiles of the training bags' event times, so that each bin has as many events."""
    died = time_N.double()[event_N.bool()]
    if bins < 2:
        raise ValueError(f"bins={bins}: hazards need at least 2; set more bins, or loss=cox")
    if len(died) < bins:
        raise ValueError(f"bins={bins}: the training bags have {len(died)} events; set fewer bins, or loss=cox")
    edges = died.quantile(torch.arange(1, bins, dtype=torch.float64) / bins)
    if (edges.diff() <= 0).any():
        raise ValueError(f"bins={bins}: too many events at one time to cut them apart; set fewer bins, or loss=cox")
    return edges.tolist()


def bin_of(time_S: Tensor, edges: list[float]) -> Tensor:
    """(S,): an edge belongs to the bin that it begins."""
    return torch.bucketize(time_S.double(), torch.tensor(edges, dtype=torch.float64, device=time_S.device), right=True)


def survival_of(hazards_SB: Tensor) -> Tensor:
    """(S,B): the probability of living through each bin."""
    return (1 - hazards_SB).cumprod(1)


def hazard_loss(logits_SB: Tensor, bin_S: Tensor, event_S: Tensor) -> Tensor:
    """Negative log-likelihood of hazards sigmoid(logits): of an event in bin k log h_k + sum_{j<k} log(1 - h_j), of a censored bag
    sum_{j<=k} log(1 - h_j): as usual in the field, the bin in which it was lost counts as lived through."""
    live_SB, die_SB = logsigmoid(-logits_SB), logsigmoid(logits_SB)
    number_B = torch.arange(logits_SB.shape[1], device=logits_SB.device)
    event_S1, bin_S1 = event_S.bool().unsqueeze(1), bin_S.unsqueeze(1)
    lived_SB = (number_B < bin_S1) | ((number_B == bin_S1) & ~event_S1)
    died_SB = (number_B == bin_S1) & event_S1
    return -(live_SB * lived_SB + die_SB * died_SB).sum(1).mean()


def cox_loss(risk_S: Tensor, time_S: Tensor, event_S: Tensor) -> Tensor:
    """Negative partial log-likelihood of a batch, a mean over its events; who dies at the same time is at risk together (Breslow).
    Without an event it is 0: such a batch says nothing about order."""
    event_S = event_S.bool()
    at_risk_SS = time_S.unsqueeze(0) >= time_S.unsqueeze(1)
    lse_S = risk_S.unsqueeze(0).expand_as(at_risk_SS).masked_fill(~at_risk_SS, -torch.inf).logsumexp(1)
    return ((lse_S - risk_S) * event_S).sum() / event_S.sum().clamp(min=1)
