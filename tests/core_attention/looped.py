"""Attention over a list of keys per query, one query at a time: what windowed mixers are compared with."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Seen", "looped"]

# Of a head, a query token and its query vectors (B,E): the keys seen and what is added to their logits. None: a key and value of zeros.
Seen = Callable[[int, int, Tensor], list[tuple[int | None, Tensor | float]]]


def looped(q_BHNE: Tensor, k_BHNE: Tensor, v_BHNE: Tensor, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
    """(what the heads answer, maps (B,H,N,N), log-sum-exp (B,H,N))."""
    batch, heads, n, width = q_BHNE.shape
    o, maps, lse = torch.zeros_like(q_BHNE), q_BHNE.new_zeros(batch, heads, n, n), q_BHNE.new_zeros(batch, heads, n)
    for h in range(heads):
        for i in range(n):
            q_BE = q_BHNE[:, h, i]
            keys, added = zip(*seen(h, i, q_BE), strict=True)
            inside = [j for j in keys if j is not None]
            assert len(set(inside)) == len(inside), "a key is seen twice"
            k_BKE = torch.stack([torch.zeros_like(q_BE) if j is None else k_BHNE[:, h, j] for j in keys], 1)
            v_BKE = torch.stack([torch.zeros_like(q_BE) if j is None else v_BHNE[:, h, j] for j in keys], 1)
            logits_BK = (k_BKE @ q_BE[..., None])[..., 0] * width**-0.5
            logits_BK = logits_BK + torch.stack([torch.as_tensor(a).double().expand(batch) for a in added], 1)
            p_BK = logits_BK.softmax(-1)
            lse[:, h, i] = logits_BK.logsumexp(-1)
            maps[:, h, i, inside] = p_BK[:, [j is not None for j in keys]]
            o[:, h, i] = (p_BK[:, None] @ v_BKE)[:, 0]
    return o, maps, lse
