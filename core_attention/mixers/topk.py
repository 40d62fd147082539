"""Top-k attention: each query keeps its largest logits and forgets the other keys.

Dense scores are computed anyway: a regulariser, not a speed-up. It is dearer than softmax, by a sort and by maps that are kept.
Of KNN attention and of KTPP's use of it only abstracts were read; how ties break and what the context token is are ours.

Shapes: B batch, H heads, N query tokens, M key tokens, E head width.
"""

import torch
from torch import Tensor

from core_attention.contract import MixerSpec
from core_attention.mixers.heads import Heads
from core_attention.registry import register_mixer
from kernels.attend.reference import logits, normalise

__all__ = ["TopK"]


@register_mixer
class TopK(Heads):
    """topk: how many keys a query keeps of those that it sees, a whole number, or a share in (0, 1], rounded up.

    Of equal logits the keys of lower index are kept, so that maps are the same on every device. Nothing is learned about
    the choice itself: gradient flows to the kept keys only. The log-sum-exp is of the kept logits.

    context_token=True: one more key, always kept, the mean of the keys that the query sees (KTPP's context prompt); its value
    is the mean of their values. ours: maps show its weight where it comes from, in equal parts on all keys that the query sees.
    """

    spec = MixerSpec(
        name="topk",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="softmax over the k largest of s Q K^T in each row, 0 elsewhere",
        read="the abstracts; ties and the context token are ours",
        refuses=("topk below 1, a share outside (0, 1]",),
        complexity="2 N M D, and a sort",
        source="KVT, arXiv 2106.00515; KTPP",
        ragged=True,
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        topk: int | float = 0.5,
        context_token: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if isinstance(topk, bool) or topk <= 0 or (isinstance(topk, float) and topk > 1):
            raise ValueError(f"topk: topk is a whole number from 1, or a share in (0, 1], not {topk!r}")
        self.topk = topk
        self.context_token = context_token

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return self.choose(q_BHNE, k_BHME, mask, causal)[0]

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        p_BHNM, lse_BHN = self.choose(q_BHNE, k_BHME, mask, causal)
        return p_BHNM.to(v_BHME.dtype) @ v_BHME, lse_BHN

    def choose(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> tuple[Tensor, Tensor]:
        """The map and its log-sum-exp."""
        logits_BHNM = logits(q_BHNE, k_BHME, mask, causal)
        seen_BHNM = logits_BHNM > -torch.inf
        count_BHN1 = seen_BHNM.sum(-1, keepdim=True)
        kept_BHNM = logits_BHNM.masked_fill(~largest(logits_BHNM, self.wanted(count_BHN1)), -torch.inf)
        if not self.context_token:
            return normalise(kept_BHNM)
        # The logit of the mean key is the mean of the logits. (With qk_norm: the mean of the normalised keys.)
        many_BHN1 = count_BHN1.clamp(min=1)
        context_BHN1 = logits_BHNM.masked_fill(~seen_BHNM, 0.0).sum(-1, keepdim=True) / many_BHN1
        context_BHN1 = context_BHN1.masked_fill(count_BHN1 == 0, -torch.inf)
        p_BHNL, lse_BHN = normalise(torch.cat([kept_BHNM, context_BHN1], -1))
        return p_BHNL[..., :-1] + p_BHNL[..., -1:] / many_BHN1 * seen_BHNM, lse_BHN

    def wanted(self, count_BHN1: Tensor) -> Tensor:
        """How many of so many keys are kept."""
        if isinstance(self.topk, int):
            return count_BHN1.clamp(max=self.topk)
        return (count_BHN1.double() * self.topk - 1e-6).ceil().long()  # 0.28 * 25 is a little more than 7


def largest(logits_BHNM: Tensor, wanted_BHN1: Tensor) -> Tensor:
    """Whether a key is among the `wanted` largest of its row; of equals the first ones are."""
    logits_BHNM = logits_BHNM.detach()
    last_BHN1 = logits_BHNM.sort(-1, descending=True).values.gather(-1, (wanted_BHN1 - 1).clamp(min=0))
    above_BHNM, level_BHNM = logits_BHNM > last_BHN1, logits_BHNM == last_BHN1
    room_BHN1 = wanted_BHN1 - above_BHNM.sum(-1, keepdim=True)
    return above_BHNM | (level_BHNM & (level_BHNM.cumsum(-1, dtype=torch.int32) <= room_BHN1))
