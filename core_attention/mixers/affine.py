"""Affine-scaled attention: the softmax map times a learned number plus another, for every query and head.

W = alpha P + beta, y = proj(concat_h(W V)), P the softmax. Only the abstract was read (arXiv 2602.23057).
Ours: alpha = 2 sigmoid(x Wa + a0) and beta = tanh(x Wb) / (keys that the query sees), all zero at first: it begins as softmax.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width.
"""

import torch
from torch import Tensor

from core_attention.contract import MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.mixers.heads import Heads
from core_attention.mixers.seen import count_seen, sum_seen
from core_attention.mixers.zero import ZeroLinear
from core_attention.registry import register_mixer
from core_attention.tokens import visible

__all__ = ["Affine"]


@register_mixer
class Affine(Heads):
    """tie=True: beta = (1 - alpha) / (keys that the query sees), so that every row of the map sums to one."""

    spec = MixerSpec(
        name="affine",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="W = alpha softmax(S) + beta, alpha = 2 sigmoid(x w_a + a_0), beta = tanh(x w_b) / n; tied: beta = (1 - alpha) / n",
        read="the abstract; the parametrisation is ours",
        refuses=("a width that does not divide by heads",),
        complexity="2 N M D",
        source="arXiv 2602.23057",
        ragged=True,
        mass="free",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        tie: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        self.alpha = ZeroLinear(dim, heads)
        self.beta = None if tie else ZeroLinear(dim, heads, bias=False)

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The queries have one or two more columns, x Wa + a0 and x Wb: whatever picks queries picks their scales, too."""
        q_BHNE, k_BHME, v_BHME = super().project(x_BND, context_BMC)
        columns = [self.alpha(x_BND)] if self.beta is None else [self.alpha(x_BND), self.beta(x_BND)]
        columns_BHN2 = torch.stack(columns, -1).transpose(1, 2)
        return torch.cat([q_BHNE, columns_BHN2.to(q_BHNE.dtype)], -1), k_BHME, v_BHME

    def scales(self, q_BHNF: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
        """(queries (B,H,N,E), alpha (B,H,N,1), beta (B,H,N,1)), the scales in at least float32."""
        width = self.dim // self.heads
        q_BHNE, columns_BHN2 = q_BHNF[..., :width], q_BHNF[..., width:]
        columns_BHN2 = columns_BHN2.to(torch.promote_types(q_BHNF.dtype, torch.float32))
        alpha_BHN1 = 2 * columns_BHN2[..., :1].sigmoid()
        beta_BHN1 = 1 - alpha_BHN1 if self.beta is None else columns_BHN2[..., 1:].tanh()
        return q_BHNE, alpha_BHN1, beta_BHN1 / count_seen(k_BHME, mask, causal)

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        q_BHNE, alpha_BHN1, beta_BHN1 = self.scales(q_BHNE, k_BHME, mask, causal)
        p_BHNM = attention_map(q_BHNE, k_BHME, mask, causal)
        return alpha_BHN1 * p_BHNM + beta_BHN1 * visible(p_BHNM, mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        """W V = alpha (P V) + beta * sum of the visible values: no map is needed."""
        q_BHNE, alpha_BHN1, beta_BHN1 = self.scales(q_BHNE, k_BHME, mask, causal)
        o_BHNE, lse_BHN = attend(q_BHNE, k_BHME, v_BHME, mask, causal, need_lse=need_lse)
        return (alpha_BHN1 * o_BHNE + beta_BHN1 * sum_seen(v_BHME, mask, causal)).to(v_BHME.dtype), lse_BHN

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        return super().macs(n, m, grid) + n * self.dim * self.heads * (1 if self.beta is None else 2)
