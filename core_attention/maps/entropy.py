"""How undecided a query is: the entropy of its row of the map.

Shapes: B batch, H heads, N queries, M keys, E head width.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from core_attention.functional import attend
from core_attention.maps.rows import check_shares, entropy_of
from core_attention.tokens import four_dims, visible
from kernels.dispatch import autocast_off

__all__ = ["Entropy", "entropy", "entropy_without_map"]


class Entropy(NamedTuple):
    nats: Tensor  # (B,H,N)
    share: Tensor  # of log(number of visible keys), 0..1; a query with one visible key or none has nothing to decide: 0


def entropy(map_BHNM: Tensor, mask: Tensor | None = None, causal: bool = False) -> Entropy:
    """-sum p log p of each row, with 0 log 0 = 0. `mask` and `causal` as the mixer had them: they say how many keys were visible."""
    check_shares(map_BHNM, "entropy")
    with autocast_off(map_BHNM):
        nats_BHN = entropy_of(map_BHNM)
    return Entropy(nats_BHN, _share(nats_BHN, visible(map_BHNM, four_dims(mask), causal)))


def entropy_without_map(
    q_BHNE: Tensor,
    k_BHME: Tensor,
    lse_BHN: Tensor | None = None,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Entropy:
    """The same for softmax attention from q, k and the log-sum-exp L of the logits s: H = L - sum p s.

    The sum is s = scale q k under p, so scale q times the mean key: attention whose values are the keys, and no map is kept.
    A bias added to the logits cannot be had that way.
    """
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError("entropy_without_map takes a bool mask only; with a bias take the map: maps.entropy")
    full = torch.promote_types(q_BHNE.dtype, torch.float32)
    q_BHNE, k_BHME = q_BHNE.to(full), k_BHME.to(full)
    mask = four_dims(mask)
    with autocast_off(q_BHNE):
        mean_BHNE, made_BHN = attend(q_BHNE, k_BHME, k_BHME, mask, causal, scale, need_lse=lse_BHN is None)
        lse_BHN = made_BHN if lse_BHN is None else lse_BHN
        assert lse_BHN is not None
        factor = q_BHNE.shape[-1] ** -0.5 if scale is None else scale
        nats_BHN = lse_BHN - factor * (q_BHNE * mean_BHNE).sum(-1)
    nats_BHN = nats_BHN.clamp(min=0.0)  # below zero is rounding, and -inf where nothing is seen
    seen = q_BHNE.new_ones((1, 1, *q_BHNE.shape[2:3], k_BHME.shape[2]), dtype=torch.bool)
    return Entropy(nats_BHN, _share(nats_BHN, visible(seen, mask, causal)))


def _share(nats_BHN: Tensor, seen: Tensor) -> Tensor:
    most_BHN = seen.sum(-1).clamp(min=1).to(nats_BHN.dtype).log()
    return torch.where(most_BHN >= math.log(2) / 2, nats_BHN / most_BHN.clamp(min=math.log(2) / 2), 0.0)
