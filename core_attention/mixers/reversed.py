"""Reversed attention: every token chooses whom it sends to, and gets what others send: y = A^T V with the rows of A over the receivers.

Children send to parents, so that a map is a tree of dependencies (maps.dependency_tree). Of DependencyViT only the abstract was read:
that a learned share of each head multiplies what is sent, and the gate that prunes, are second-hand; how they begin is ours.

Shapes: B batch, N tokens (as senders), M tokens (as receivers), D width, H heads, E head width.
"""

import torch
from torch import Tensor
from torch.nn.functional import dropout

from core_attention.contract import MixerSpec
from core_attention.functional import attention_map, head_mean_map, reversed_attend
from core_attention.mixers.heads import Heads
from core_attention.mixers.zero import ZeroLinear
from core_attention.registry import register_mixer

__all__ = ["Reversed"]

OPEN = 2.0  # a message gate begins at sigmoid(2) = 0.88


@register_mixer
class Reversed(Heads):
    """What a token gets is unbounded: a root hears everybody, a leaf nobody. A map's rows say where each token sends.

    Each token sends by its heads in shares, softmax over heads times their number (ours: 1 each at first).
    message_gate: a token may fall silent, by a gate in (0, 1) on all that it sends.
    A hidden token neither sends nor is sent to.
    """

    spec = MixerSpec(
        name="reversed",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="y_j = sum_i A_ij g_i v_i, A = softmax(s Q K^T) over the receivers j",
        read="the abstract",
        refuses=("a causal or a cross pattern",),
        complexity="2 N M D",
        source="DependencyViT, arXiv 2304.03282 (abstract)",
        ragged=True,
    )
    linear_in_values = False  # of the transposed map it is

    def __init__(
        self,
        dim: int,
        heads: int,
        message_gate: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        self.shares = ZeroLinear(dim, heads, bias=False)
        self.gate = ZeroLinear(dim, 1) if message_gate else None
        if self.gate is not None:
            assert self.gate.bias is not None
            torch.nn.init.constant_(self.gate.bias, OPEN)

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The values are what is sent, gates and shares included."""
        q_BHNE, k_BHNE, v_BHNE = super().project(x_BND, context_BMC)
        full = torch.promote_types(x_BND.dtype, torch.float32)
        sent_BHN1 = (self.shares(x_BND).to(full).softmax(-1) * self.heads).transpose(1, 2).unsqueeze(-1)
        if self.gate is not None:
            sent_BHN1 = sent_BHN1 * self.gate(x_BND).to(full).sigmoid().unsqueeze(1)
        return q_BHNE, k_BHNE, (v_BHNE * sent_BHN1).to(v_BHNE.dtype)

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return attention_map(q_BHNE, k_BHME, mask)

    def mean_weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return head_mean_map(q_BHNE, k_BHME, mask=mask)

    def answer(self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        v_BHNE = v_BHME if mask is None else heard(v_BHME, mask)
        if self.attn_drop and self.training:
            p_BHNM = dropout(self.weights(q_BHNE, k_BHME, mask, causal), self.attn_drop)
            return p_BHNM.to(v_BHNE.dtype).transpose(-2, -1) @ v_BHNE
        return reversed_attend(q_BHNE, k_BHME, v_BHNE, mask)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        return super().macs(n, m, grid) + n * self.dim * (self.heads + (self.gate is not None))


def heard(v_BHNE: Tensor, mask: Tensor) -> Tensor:
    """Nothing from hidden tokens: a mask of keys (one row for all queries) names them, a mask of pairs already says who may send where."""
    if mask.shape[2] != 1:
        return v_BHNE
    seen_BHN1 = (mask if mask.dtype == torch.bool else mask > -torch.inf).transpose(2, 3)
    return torch.where(seen_BHN1, v_BHNE, 0.0)
