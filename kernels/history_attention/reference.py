"""Attention over the layers of a network's history, in plain aten (HISTOGRAPH, arXiv 2601.01123, stage one, in absorbed form).

Shapes: N nodes, L layers, D width, S graphs, R rows of weights: N, or S where a graph shares its weights.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off
from kernels.ragged import segment_of, segment_sum

__all__ = ["NORMS", "guard_hits", "history_attention", "normalise", "scores", "share"]

NORMS = ("signed", "l1", "softmax", "uniform")


def history_attention(
    states: Tensor,
    u: Tensor | None,
    bias: Tensor | None = None,
    offsets: Tensor | None = None,
    norm: str = "softmax",
    eps: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """(z (N,D) in the dtype of the states, weights (N,L) or (S,L) in at least float32): z_n = sum_l a_l x_nl.

    states: (N,L,D). u: (N,D) or (D,), whatever the scores u . x should be scaled by included. bias: (N,L) or (L,), added to them.
    offsets: (S+1,) whole numbers. With them the scores are averaged over the nodes of each graph, which then share their weights;
    a graph without nodes has weights of zero. Without them each node has its own.
    norm: "signed" c / sum c, the divisor kept away from zero: at least eps * sum |c|, so that |a| <= 1 / eps; "l1" c / sum |c|;
    "softmax", where a score of -inf hides a layer; "uniform" 1 / L, which takes no u and no bias. Scores all zero give 1 / L.
    """
    with autocast_off(states):
        states_NLD = states.to(torch.promote_types(states.dtype, torch.float32))
        a_NL, a_RL = share(scores(states_NLD, u, bias), offsets, norm, eps)
        z_ND = (a_NL.unsqueeze(1) @ states_NLD).squeeze(1)
    return z_ND.to(states.dtype), a_RL


def scores(states_NLD: Tensor, u: Tensor | None, bias: Tensor | None) -> Tensor:
    """(N,L), of states in full precision."""
    if u is None:
        return torch.zeros_like(states_NLD[:, :, 0])
    u = u.to(states_NLD.dtype)
    c_NL = states_NLD @ u if u.ndim == 1 else (states_NLD @ u.unsqueeze(-1)).squeeze(-1)
    return c_NL if bias is None else c_NL + bias.to(states_NLD.dtype)


def share(c_NL: Tensor, offsets: Tensor | None, norm: str, eps: float) -> tuple[Tensor, Tensor]:
    """(weights of each node (N,L), weights of whatever shares them (R,L)) from the nodes' scores."""
    if offsets is None:
        a_NL = normalise(c_NL, norm, eps)
        return a_NL, a_NL
    segment_N = segment_of(c_NL[:, 0], offsets)
    count_S1 = segment_sum(torch.ones_like(c_NL[:, :1]), segment_N, offsets)
    c_SL = segment_sum(c_NL, segment_N, offsets) / count_S1.clamp(min=1.0)
    a_SL = normalise(c_SL, norm, eps).masked_fill(count_S1 == 0, 0.0)
    return a_SL.index_select(0, segment_N), a_SL


def normalise(c_RL: Tensor, norm: str, eps: float) -> Tensor:
    """Scores to weights, row by row."""
    if norm == "softmax":
        return _softmax(c_RL)
    ones_RL = torch.ones_like(c_RL)
    uniform_RL = ones_RL / ones_RL.sum(-1, keepdim=True)
    if norm == "uniform":
        return uniform_RL
    size_R1 = c_RL.abs().sum(-1, keepdim=True)
    zero_R1 = size_R1 == 0
    if norm == "l1":
        divisor_R1 = size_R1
    else:
        # The guard is relative and so keeps a(t c) = a(c) for every t but 0. Its derivative is the true one, also where it acts.
        sum_R1 = c_RL.sum(-1, keepdim=True)
        sign_R1 = torch.ones_like(sum_R1).masked_fill(sum_R1 < 0, -1.0)
        divisor_R1 = torch.where(sum_R1.abs() < eps * size_R1, sign_R1 * eps * size_R1, sum_R1)
    return torch.where(zero_R1, uniform_RL, c_RL / divisor_R1.masked_fill(zero_R1, 1.0))


def _softmax(c_RL: Tensor) -> Tensor:
    # Written out, because softmax gives NaN for a row of -inf.
    top_R1 = c_RL.detach().amax(-1, keepdim=True)
    e_RL = (c_RL - top_R1.masked_fill(top_R1 == -torch.inf, 0.0)).exp()
    sum_R1 = e_RL.sum(-1, keepdim=True)
    return e_RL / sum_R1.masked_fill(sum_R1 == 0, 1.0)


def guard_hits(weights: Tensor) -> Tensor:
    """How many rows of `signed` weights (R,L) the guard has bounded: theirs alone do not sum to 1. Rows of zeros are not counted."""
    return ((weights.sum(-1) < 1 - 1e-4) & (weights != 0).any(-1)).sum()
