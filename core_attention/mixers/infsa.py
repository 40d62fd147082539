"""Infinite self-attention: maps whose powers add up. A = rho relu(Q K^T / d) / (|| relu(Q K^T / d) ||_F + eps), y = A V per head.

The Frobenius norm is over a head's whole map, so its spectral radius stays below rho and the Neumann series over layers converges;
with it the answer shrinks as 1 / N. Two slips of the authors' code are avoided: rho is trained, and masks are honoured.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from core_attention.contract import MixerSpec
from core_attention.mixers.heads import Heads
from core_attention.registry import register_mixer
from kernels.attend.reference import logits

__all__ = ["Damped", "InfSA", "length"]

RHO = 0.95  # where rho begins
EPS = 1e-6


def length(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The Euclidean norm over these dimensions, kept as ones; of zeros its gradient is zero."""
    return cast(Tensor, torch.linalg.vector_norm(x, dim=dims, keepdim=True))  # pyright: ignore[reportUnknownMemberType]


def logit(share: float) -> Tensor:
    return torch.tensor(share, dtype=torch.float64).logit().float()


class Damped(Heads):
    """Heads whose maps are multiplied by a learned rho in (0, 1)."""

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
        self.rho_logit = nn.Parameter(logit(RHO))

    def rho(self, like: Tensor) -> Tensor:
        return self.rho_logit.to(like.dtype).sigmoid()


@register_mixer
class InfSA(Damped):
    """All queries of a sample share one norm, so there is no ragged form and no row without the others. A hidden token is no query,
    either: else its row would weigh in the norm."""

    spec = MixerSpec(
        name="infsa",
        patterns=frozenset({"ns", "nc"}),
        needs=frozenset({"none", "mean", "full"}),
        masks=frozenset({"key", "pair"}),
        equation="A = rho relu(Q K^T / d) / (|relu(Q K^T / d)|_F + eps)",
        read="the authors' code; two of its slips avoided",
        refuses=("a float mask: there is no logit to add to",),
        complexity="2 N M D",
        source="Roffo, arXiv 2603.00175",
        mass="free",
        shift_invariant=False,
    )

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        raw_BHNM = relu(logits(q_BHNE, k_BHME, scale=1 / q_BHNE.shape[-1]))  # q and k each times d^-1/2
        if mask is not None:
            raw_BHNM = raw_BHNM.masked_fill(~mask, 0.0)
            if mask.shape[2] == 1 and self.context_dim is None:
                raw_BHNM = raw_BHNM.masked_fill(~mask.transpose(2, 3), 0.0)
        norm_BH11 = length(raw_BHNM, (2, 3))
        return self.rho(raw_BHNM) * raw_BHNM / (norm_BH11 + EPS)
