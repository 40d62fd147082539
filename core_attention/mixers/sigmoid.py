"""Sigmoid attention: y = sigmoid(Q K^T / sqrt d + b) V per head, every key weighed by itself.

Shapes: B batch, N query tokens, M key tokens, H heads, E head width.
"""

import torch
from torch import Tensor, nn

from core_attention.contract import MixerSpec
from core_attention.functional import sigmoid_attention, sigmoid_attention_weights
from core_attention.mixers.heads import Heads
from core_attention.registry import register_mixer
from core_attention.tokens import visible

__all__ = ["Sigmoid"]


@register_mixer
class Sigmoid(Heads):
    """logit_bias: added to all logits. "auto": minus the log of the keys that a query sees, so that its row begins near a sum of 1
    whatever the length and the padding (ours; the authors' is a number fixed per model). learn_bias: a learned number per head on top.

    In a deep trunk it wants a small layer scale (1e-4) and qk_norm. Rows do not sum to 1; there is no log-sum-exp.
    """

    spec = MixerSpec(
        name="sigmoid",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="sigmoid(s Q K^T + b) V, b = -log(keys seen)",
        read="the authors' code; advice on stability second-hand",
        refuses=("a log-sum-exp: nothing is normalised",),
        complexity="2 N M D",
        source="Ramapuram et al., arXiv 2409.04431",
        ragged=True,
        mass="free",
        shift_invariant=False,
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        logit_bias: float | str = "auto",
        learn_bias: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if isinstance(logit_bias, str) and logit_bias != "auto":
            raise ValueError(f"sigmoid: logit_bias is a number or 'auto', not {logit_bias!r}")
        self.fixed = None if isinstance(logit_bias, str) else float(logit_bias)
        self.learned_bias = nn.Parameter(torch.zeros(heads)) if learn_bias else None

    def bias(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor | float:
        """(B|1,H|1,N,1), (H,) or a number."""
        if self.fixed is None:
            pairs_NM = q_BHNE.new_ones(()).expand(q_BHNE.shape[2], k_BHME.shape[2])
            seen_BHN1 = visible(pairs_NM, mask, causal).sum(-1, keepdim=True)
            full = torch.promote_types(q_BHNE.dtype, torch.float32)
            start = -seen_BHN1.clamp(min=1).to(full).log()
        else:
            start = self.fixed
        if self.learned_bias is None:
            return start
        return self.learned_bias + start if isinstance(start, float) else self.learned_bias[:, None, None] + start

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return sigmoid_attention_weights(q_BHNE, k_BHME, self.bias(q_BHNE, k_BHME, mask, causal), mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        return sigmoid_attention(q_BHNE, k_BHME, v_BHME, self.bias(q_BHNE, k_BHME, mask, causal), mask, causal), None
