"""Mixture of heads: every token asks some of the heads. y = sum_h gate_h(x) head_h W_o,h: shared heads always, of the others the top k.

With r = softmax(x W_g) over the routed heads: their gates are k r_h / sum_topk r, and 0 beyond the top k; the shared ones' are
h_s softmax(x W_1)_h; balance (b0, b1) = 2 softmax(x W_0) multiplies the one and the other. The factors keep the mean gate near 1.
Keys and values of all heads are computed, and dense hardware saves nothing by gates of zero.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, R routed heads, E head width, S shared heads.
"""

import math

import torch
from torch import Tensor, nn

from core_attention.contract import MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.mixers.heads import Heads
from core_attention.mixers.topk import largest
from core_attention.registry import register_mixer

__all__ = ["MoH"]


@register_mixer
class MoH(Heads):
    """shared: heads that everybody asks, the first ones. keep: the share of the routed heads that a token asks, rounded up.

    need="aux": the balance loss R^2 mean_h(mean_t r_h mean_t chosen_h), k where all heads are asked alike; the authors weigh it by 0.01.
    Of equal heads the first are chosen. Maps are gated: a head that is not asked shows zeros.
    """

    spec = MixerSpec(
        name="moh",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse", "aux"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="y = sum_h gate_h(x) head_h W_h, gates of the top k routed and of all shared heads",
        read="the authors' code",
        refuses=("shared heads that leave none to route", "keep outside (0, 1]"),
        complexity="2 N M D",
        source="Jin et al., arXiv 2410.11842",
        ragged=True,
        mass="free",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        shared: int = 1,
        keep: float = 0.75,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if not 0 <= shared < heads:
            raise ValueError(f"moh: shared={shared} of heads={heads} leaves none to route; softmax is what asks all heads")
        if not 0 < keep <= 1:
            raise ValueError(f"moh: keep={keep} is the share of the routed heads that a token asks, in (0, 1]")
        self.shared, self.routed = shared, heads - shared
        self.chosen = math.ceil(round(keep * self.routed, 6))
        self.wg = nn.Linear(dim, self.routed, bias=False)
        self.w1 = nn.Linear(dim, shared, bias=False) if shared > 1 else None
        self.w0 = nn.Linear(dim, 2, bias=False) if shared else None

    def route(self, x_BND: Tensor) -> tuple[Tensor, Tensor]:
        """(r, whether chosen), both (B,N,R)."""
        r_BNR = self.wg(x_BND).to(torch.promote_types(x_BND.dtype, torch.float32)).softmax(-1)
        return r_BNR, largest(r_BNR, torch.full_like(r_BNR[..., :1], self.chosen, dtype=torch.int64))

    def gates(self, x_BND: Tensor) -> Tensor:
        """(B,N,H), the shared heads first."""
        r_BNR, chosen_BNR = self.route(x_BND)
        kept_BNR = r_BNR * chosen_BNR
        routed_BNR = self.chosen * kept_BNR / kept_BNR.sum(-1, keepdim=True).clamp(min=torch.finfo(r_BNR.dtype).eps)
        if self.w0 is None:
            return routed_BNR
        balance_BN2 = 2 * self.w0(x_BND).to(r_BNR.dtype).softmax(-1)
        shared_BNS = torch.ones_like(r_BNR[..., :1]) if self.w1 is None else self.shared * self.w1(x_BND).to(r_BNR.dtype).softmax(-1)
        return torch.cat([balance_BN2[..., :1] * shared_BNS, balance_BN2[..., 1:] * routed_BNR], -1)

    def balance(self, x_BND: Tensor, mask: Tensor | None) -> Tensor:
        """The loss that asks all routed heads alike. Hidden tokens of self attention ask nobody."""
        r_BNR, chosen_BNR = self.route(x_BND)
        share_BN1 = torch.ones_like(r_BNR[..., :1])
        if mask is not None and mask.shape[2] == 1 and self.context_dim is None:
            share_BN1 = (mask if mask.dtype == torch.bool else mask > -torch.inf)[:, 0, 0].unsqueeze(-1).to(r_BNR.dtype)
        share_BN1 = share_BN1 / share_BN1.sum().clamp(min=1)
        return self.routed**2 * ((share_BN1 * r_BNR).sum((0, 1)) * (share_BN1 * chosen_BNR).sum((0, 1))).mean()

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        if need != "aux":
            return super().mix(x_BND, context_BMC, mask, grid, need)
        y_BND = super().mix(x_BND, context_BMC, mask, grid, "none")
        assert isinstance(y_BND, Tensor)
        return y_BND, self.balance(x_BND, mask)

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The queries have one more column, their gate: whatever picks queries picks their gates, too."""
        q_BHNE, k_BHME, v_BHME = super().project(x_BND, context_BMC)
        gate_BHN1 = self.gates(x_BND).transpose(1, 2).unsqueeze(-1)
        return torch.cat([q_BHNE, gate_BHN1.to(q_BHNE.dtype)], -1), k_BHME, v_BHME

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        p_BHNM = attention_map(q_BHNE[..., :-1], k_BHME, mask, causal)
        return p_BHNM * q_BHNE[..., -1:].to(p_BHNM.dtype)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        o_BHNE, lse_BHN = attend(q_BHNE[..., :-1], k_BHME, v_BHME, mask, causal, need_lse=need_lse)
        return o_BHNE * q_BHNE[..., -1:].to(o_BHNE.dtype), lse_BHN

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        asked = self.routed + (self.shared if self.w1 is not None else 0) + (2 if self.w0 is not None else 0)
        return super().macs(n, m, grid) + n * self.dim * asked
