"""What the two maps of a differential mixer do: how decided each is, and what is left of the first.

Shapes: B batch, H heads, N queries, M keys.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from core_attention.contract import cleaned
from core_attention.functional import attention_map
from core_attention.maps.recorder import Call
from core_attention.maps.rows import entropy_of
from core_attention.mixers.signed import Signed
from core_attention.tokens import with_past

__all__ = ["SignedMaps", "signed_maps"]


class SignedMaps(NamedTuple):
    first: Tensor  # (B,H,N,M), rows sum to 1
    second: Tensor  # (B,K,N,M), likewise; K divides H, head i subtracts that of head i K // H
    share: Tensor  # lam, () or (H,)

    @property
    def difference(self) -> Tensor:
        """first - lam second, (B,H,N,M): the map that weighs the values."""
        second_BHNM = self.second.repeat_interleave(self.first.shape[1] // self.second.shape[1], 1)
        return self.first - self.share.reshape(-1, 1, 1) * second_BHNM

    def statistics(self) -> dict[str, Tensor]:
        """lambda (its mean over heads), mean row entropies in nats, and the share of negative weights: scalars to log for each layer."""
        return {
            "lambda": self.share.mean(),
            "entropy_first": entropy_of(self.first).mean(),
            "entropy_second": entropy_of(self.second).mean(),
            "negative": (self.difference < 0).to(self.first.dtype).mean(),
        }


def signed_maps(call: Call) -> SignedMaps:
    """Of one recorded use of a differential mixer.

    >>> with record(model) as recording:
    ...     model(pictures)
    >>> signed_maps(recording.call("blocks.0.attn")).statistics()
    """
    mixer = call.mixer
    if not isinstance(mixer, Signed):
        raise ValueError(f"{call} has one map, not two; signed_maps is of differential mixers")
    with call.again(), torch.no_grad():
        x, context, mask = cleaned(call.inputs["x"], call.inputs.get("context"), call.inputs.get("mask"))
        q_BHNE, k_BHME, _ = mixer.project(x, context)
        if mixer.causal and context is None:
            mask = with_past(mask, q_BHNE, k_BHME)
        (q1, q2), (k1, k2) = mixer.split(q_BHNE), mixer.split(k_BHME)
        if mask is not None and mask.ndim == 4 and mask.shape[1] not in (1, q2.shape[1]):  # a mask for each head
            group = q1.shape[1] // q2.shape[1]
            q2, k2 = q2.repeat_interleave(group, 1), k2.repeat_interleave(group, 1)
        return SignedMaps(attention_map(q1, k1, mask), attention_map(q2, k2, mask), mixer.share())
