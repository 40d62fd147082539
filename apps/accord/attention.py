"""Attention of steps and tokens over an instance's prefix, and over a rollout's own earlier steps.

Shapes: B instances, S rollouts or steps, H heads, M = N + 1 prefix tokens, T steps, E head width.
"""

import math

import torch
from torch import Tensor

from core_attention.functional import attend
from core_attention.merge import merge

__all__ = ["over_both", "over_prefix", "over_steps"]


def over_prefix(q_BHSE: Tensor, k_BHME: Tensor, v_BHME: Tensor, bias: Tensor | None) -> Tensor:
    """The rollouts are the query axis of one call, so that they share the prefix's keys and values by view. bias: to (B,H,S,M)."""
    if torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]  # an operation picks its form in Python
        return with_lse(q_BHSE, k_BHME, v_BHME, bias)[0]
    return attend(q_BHSE, k_BHME, v_BHME, bias)[0]


def over_both(q_BHSE: Tensor, k_BHME: Tensor, v_BHME: Tensor, bias: Tensor | None, k_BSHTE: Tensor, v_BSHTE: Tensor) -> Tensor:
    """Over the shared prefix and each rollout's own steps: two calls, merged by log-sum-exp."""
    own_XH1E = q_BHSE.transpose(1, 2).flatten(0, 1).unsqueeze(2)
    o1, lse1 = with_lse(q_BHSE, k_BHME, v_BHME, bias)
    o2, lse2 = with_lse(own_XH1E, k_BSHTE.flatten(0, 1), v_BSHTE.flatten(0, 1), None)
    B, S = q_BHSE.shape[0], q_BHSE.shape[2]
    return merge(o1, lse1, o2.view(B, S, -1, o2.shape[3]).transpose(1, 2), lse2.view(B, S, -1).transpose(1, 2))[0]


def over_steps(q_BHTE: Tensor, k_BHME: Tensor, v_BHME: Tensor, bias: Tensor | None, own_k_BHTE: Tensor, own_v_BHTE: Tensor) -> Tensor:
    """All steps of one rollout at once (teacher forcing): the prefix is open to all, a step to those after it (prefix-causal)."""
    past_TT = torch.zeros_like(q_BHTE[0, 0, :, :1] @ q_BHTE[0, 0, :, :1].t())
    past_TT = past_TT.masked_fill(torch.ones_like(past_TT, dtype=torch.bool).triu(1), -torch.inf)
    B, H, T, M = q_BHTE.shape[0], q_BHTE.shape[1], q_BHTE.shape[2], k_BHME.shape[2]
    first = torch.zeros([1, 1, 1, 1], device=q_BHTE.device) if bias is None else bias
    mask = torch.cat([first.expand(B, H, T, M), past_TT.to(first.dtype).expand(B, H, T, T)], 3)
    return over_prefix(q_BHTE, torch.cat([k_BHME, own_k_BHTE], 2), torch.cat([v_BHME, own_v_BHTE], 2), mask)


def with_lse(q_BHSE: Tensor, k_BHME: Tensor, v_BHME: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """ours: `attend` guards against queries that see nothing; here each sees GLOBAL, or itself, and a third of the operations is enough."""
    logits_BHSM = (q_BHSE / math.sqrt(q_BHSE.shape[3])) @ k_BHME.transpose(2, 3)
    if bias is not None:
        logits_BHSM = logits_BHSM + bias
    top_BHS1 = logits_BHSM.detach().amax(3, keepdim=True)
    e_BHSM = (logits_BHSM - top_BHS1).exp()
    sum_BHS1 = e_BHSM.sum(3, keepdim=True)
    return (e_BHSM @ v_BHME) / sum_BHS1, (top_BHS1 + sum_BHS1.log()).squeeze(3)
