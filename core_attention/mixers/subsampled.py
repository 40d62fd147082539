"""Attention over a random part of the keys, in training only: each step draws the information pathways anew. In evaluation it is softmax.

Of Information Pathways only the abstract was read (its code is not public). One draw for all queries and heads of a sample; that a query
always keeps its own key is ours, and so is how a window narrows the draw.

Shapes: B batch, H heads, N tokens, K keys drawn, E head width.
"""

import math

import torch
from torch import Generator, Tensor

from core_attention.contract import MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.mixers.heads import Heads
from core_attention.registry import register_mixer

__all__ = ["Subsampled"]


@register_mixer
class Subsampled(Heads):
    """share: of the tokens, drawn as keys without replacement, rounded up. window: a query sees those drawn at most so far away; None: all.
    generator: of the draws; None is torch's own.

    The own key stands beside the drawn ones, which are shared: two softmaxes joined by their log-sum-exps, so nothing is gathered twice.
    Hidden tokens may be drawn, and are then not seen. In training there are no maps: a map of one draw says nothing.
    """

    spec = MixerSpec(
        name="subsampled",
        patterns=frozenset({"ns", "cs"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="softmax(s Q K^T) V over the keys of one draw and the own one, in training; softmax else",
        read="the abstract",
        refuses=("maps in training", "share outside (0, 1]"),
        complexity="2 N M D share in training, 2 N M D else",
        source="Information Pathways, arXiv 2306.01705 (abstract)",
        ragged=True,
        training_only=True,
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        share: float = 0.25,
        window: int | None = None,
        generator: Generator | None = None,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, 0.0, proj_drop)
        if not 0 < share <= 1:
            raise ValueError(f"subsampled: share={share} of the keys; it is in (0, 1]")
        if window is not None and window < 1:
            raise ValueError(f"subsampled: window={window} tokens to either side; it is 1 or more, or None for all")
        self.share, self.window, self.generator = share, window, generator

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        if self.training:
            raise ValueError("subsampled has maps in evaluation only; call eval() first")
        return attention_map(q_BHNE, k_BHME, mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        if not self.training:
            return attend(q_BHNE, k_BHME, v_BHME, mask, causal, need_lse=need_lse)
        if need_lse:
            raise ValueError("subsampled has a log-sum-exp in evaluation only; call eval() first")
        drawn_BK = self.draw(k_BHME)
        own_N = torch.arange(q_BHNE.shape[2], device=q_BHNE.device)
        seen_BNK = drawn_BK[:, None] != own_N[:, None]
        if causal:
            seen_BNK = seen_BNK & (drawn_BK[:, None] < own_N[:, None])
        if self.window is not None:
            seen_BNK = seen_BNK & ((drawn_BK[:, None] - own_N[:, None]).abs() <= self.window)
        logit_BHN = (q_BHNE * k_BHME).sum(-1) * q_BHNE.shape[-1] ** -0.5
        bias = seen_BNK[:, None]
        if mask is not None:
            mask = mask.expand(q_BHNE.shape[0], -1, q_BHNE.shape[2], -1)
            taken = mask.gather(3, drawn_BK[:, None, None].expand(*mask.shape[:3], -1))
            bias = taken & bias if mask.dtype == torch.bool else taken.masked_fill(~bias, -torch.inf)
            own = mask.diagonal(dim1=2, dim2=3)
            logit_BHN = logit_BHN.masked_fill(~own, -torch.inf) if mask.dtype == torch.bool else logit_BHN + own
        k_BHKE, v_BHKE = (
            part.gather(2, drawn_BK[:, None, :, None].expand(-1, part.shape[1], -1, part.shape[3])) for part in (k_BHME, v_BHME)
        )
        o_BHNE, lse_BHN = attend(q_BHNE, k_BHKE, v_BHKE, bias, need_lse=True)
        assert lse_BHN is not None
        # the share of the own key in both together; a token that sees nothing at all keeps zeros
        ahead_BHN = logit_BHN.to(lse_BHN.dtype) - lse_BHN
        own_BHN1 = ahead_BHN.masked_fill(ahead_BHN.isnan(), -torch.inf).sigmoid().unsqueeze(-1)
        return (own_BHN1 * v_BHME + (1 - own_BHN1) * o_BHNE).to(v_BHME.dtype), None

    def draw(self, k_BHME: Tensor) -> Tensor:
        """Tokens (B,K), without replacement, each as likely as another."""
        batch, count = k_BHME.shape[0], k_BHME.shape[2]
        where = k_BHME.device if self.generator is None else self.generator.device
        noise_BM = torch.rand(batch, count, generator=self.generator, device=where).to(k_BHME.device)
        return noise_BM.argsort(1)[:, : math.ceil(self.share * count)].sort(1).values
