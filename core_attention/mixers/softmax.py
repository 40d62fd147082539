"""Plain attention: y = softmax(Q K^T / sqrt d) V per head. The reference for all others.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width, C context width.
"""

from torch import Tensor

from core_attention.contract import MixerSpec, cleaned
from core_attention.functional import apply_transposed, attend, attention_map, head_mean_map, paired_attention
from core_attention.mixers.heads import Heads
from core_attention.registry import register_mixer
from core_attention.tokens import with_past

__all__ = ["Softmax"]


@register_mixer
class Softmax(Heads):
    spec = MixerSpec(
        name="softmax",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="softmax(s Q K^T) V, s = d^-1/2",
        read="the reference of all others",
        refuses=("a width that does not divide by heads",),
        complexity="2 N M D",
        source="Vaswani et al., arXiv 1706.03762",
        ragged=True,
    )

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return attention_map(q_BHNE, k_BHME, mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        return attend(q_BHNE, k_BHME, v_BHME, mask, causal, need_lse=need_lse)

    def mean_weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return head_mean_map(q_BHNE, k_BHME, mask=with_past(mask, q_BHNE, k_BHME) if causal else mask)

    def combine_pair(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, k2_BHME: Tensor, v2_BHME: Tensor, mask: Tensor | None, mask2: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        o_BHNE, own_BHN = paired_attention(q_BHNE, k_BHME, v_BHME, k2_BHME, v2_BHME, mask, mask2)
        assert own_BHN is not None
        return o_BHNE, own_BHN

    def pull(
        self,
        r_BN: Tensor,
        x_BND: Tensor,
        context_BMC: Tensor | None = None,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        self._check(x_BND, context_BMC, mask, grid, None, "mean")
        x_BND, context_BMC, mask = cleaned(x_BND, context_BMC, mask)
        q_BHNE, k_BHME, _ = self.project(x_BND, context_BMC)
        if self.causal and context_BMC is None:
            mask = with_past(mask, q_BHNE, k_BHME)
        return apply_transposed(q_BHNE, k_BHME, r_BN, mask=mask).mean(1)
