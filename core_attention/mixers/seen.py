"""Sums and counts over the keys that a query sees, whatever says which.

Shapes: B batch, H heads, N query tokens, M key tokens, E width.
"""

import torch
from torch import Tensor

from kernels.dispatch import autocast_off

__all__ = ["count_seen", "sum_seen"]


def sum_seen(x_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """(B,H,1|N,E), in at least float32; one row where all queries see the same keys. `mask` in four dimensions."""
    x_BHME = x_BHME.to(torch.promote_types(x_BHME.dtype, torch.float32))
    if mask is None:  # never N x M
        return x_BHME.cumsum(2) if causal else x_BHME.sum(2, keepdim=True)
    seen = mask if mask.dtype == torch.bool else mask > -torch.inf
    if causal:
        seen = seen & seen.new_ones((x_BHME.shape[2], x_BHME.shape[2])).tril()
    with autocast_off(x_BHME):
        return seen.to(x_BHME.dtype) @ x_BHME


def count_seen(k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """How many keys each query sees, (B|1,H|1,1|N,1), but at least 1, so that one can divide by it; `k_BHME` lends its length."""
    return sum_seen(torch.ones_like(k_BHME[:1, :1, :, :1]), mask, causal).clamp(min=1)
