"""Selective attention: every query and every value has a temperature of its own.

P = softmax(s tq Q K^T), y = P (tv V) per head, with tq = tanh(f(x_i)) + 1 + c log(keys that query i sees), tv = 1 + tanh(g(x_j)).
The position part is the authors'; of the token part only the abstract was read: the sizes of f and g are ours.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width, C context width.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from core_attention.contract import MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.mixers.heads import Heads
from core_attention.mixers.seen import count_seen
from core_attention.mixers.zero import ZeroLinear
from core_attention.registry import register_mixer

__all__ = ["Selective"]

BETA = 1.5  # of the authors: c = exp(-exp(beta)) begins at 0.011


class Temperature(nn.Module):
    """Two layers, one number a head; zero at first. ours: a sixteenth of the width between them."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, max(1, dim // 16))
        self.fc2 = ZeroLinear(max(1, dim // 16), heads)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B,H,N,1)"""
        return self.fc2(gelu(self.fc1(x_BND))).transpose(1, 2).unsqueeze(-1)

    def macs(self) -> int:
        return self.fc1.weight.numel() + self.fc2.weight.numel()


@register_mixer
class Selective(Heads):
    """Begins as softmax whose logits are multiplied by 1 + c log(visible keys); as plain softmax where beta is large.

    A causal query i sees i + 1 keys, as the authors count. ours: elsewhere it counts what the mask shows, so that padding
    changes nothing. Masks that show fewer keys therefore cool the softmax: log-sum-exps of parts of the keys do not add up.
    """

    spec = MixerSpec(
        name="selective",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="softmax(s tq Q K^T) (tv V), tq = tanh(f(x)) + 1 + c log(keys seen), tv = 1 + tanh(g(x))",
        read="the authors' code for positions, the abstract for tokens",
        refuses=("a width that does not divide by heads",),
        complexity="2 N M D",
        source="Selective Self-Attention, NeurIPS 2024",
        ragged=True,
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        self.q_temperature = Temperature(dim, heads)
        self.v_temperature = Temperature(context_dim or dim, heads)
        self.beta = nn.Parameter(torch.tensor([BETA]))

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The queries have one more column, f(x): whatever picks queries picks their temperatures, too."""
        q_BHNE, k_BHME, v_BHME = super().project(x_BND, context_BMC)
        f_BHN1 = self.q_temperature(x_BND)
        tv_BHM1 = 1 + self.v_temperature(x_BND if context_BMC is None else context_BMC).tanh()
        return torch.cat([q_BHNE, f_BHN1.to(q_BHNE.dtype)], -1), k_BHME, v_BHME * tv_BHM1.to(v_BHME.dtype)

    def tempered(self, q_BHNF: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """tq Q (B,H,N,E): the temperature multiplies the query, so any softmax attention serves."""
        full = torch.promote_types(q_BHNF.dtype, torch.float32)
        q_BHNE, f_BHN1 = q_BHNF[..., :-1], q_BHNF[..., -1:].to(full)
        c = (-self.beta.to(full).exp()).exp()
        tq_BHN1 = f_BHN1.tanh() + 1 + c * count_seen(k_BHME, mask, causal).to(full).log()
        return (q_BHNE * tq_BHN1).to(q_BHNE.dtype)

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return attention_map(self.tempered(q_BHNE, k_BHME, mask, causal), k_BHME, mask, causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        return attend(self.tempered(q_BHNE, k_BHME, mask, causal), k_BHME, v_BHME, mask, causal, need_lse=need_lse)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        nets = n * self.q_temperature.macs() + m * self.v_temperature.macs()
        return super().macs(n, m, grid) + nets
