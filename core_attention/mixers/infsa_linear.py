"""The linear form of infinite self-attention: one mean query looks once, and every token gets the same answer.

qbar = sum_t w_t q_t with w_t = |q_t| / sum |q|; a = relu(qbar K^T) / sum; y = rho sum_j a_j v_j. A map of rank one that knows no position:
only the residual keeps tokens apart.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width.
"""

import torch
from torch import Tensor
from torch.nn.functional import dropout, relu

from core_attention.contract import MixerSpec
from core_attention.mixers.infsa import Damped, length
from core_attention.registry import register_mixer
from kernels.attend.reference import logits
from kernels.dispatch import autocast_off

__all__ = ["InfSALinear"]

EPS = 1e-6


@register_mixer
class InfSALinear(Damped):
    """The weight of a token in the mean query is the length of its query. A hidden token is neither key nor part of that mean."""

    spec = MixerSpec(
        name="infsa_linear",
        patterns=frozenset({"ns", "nc"}),
        needs=frozenset({"none", "row", "full"}),
        masks=frozenset({"key"}),
        equation="y_i = rho sum_j a_j v_j, a = relu(qbar K^T) / sum, qbar = sum_t |q_t| q_t / sum |q|",
        read="the authors' code",
        refuses=("masks of pairs: all queries are one",),
        complexity="2 (N + M) D",
        source="Roffo, arXiv 2603.00175",
        mass="free",
        shift_invariant=False,
    )

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        q_BHNE, k_BHME, v_BHME = self.project(x_BND, context_BMC)
        row_BH1M = self.row(q_BHNE, k_BHME, mask)
        used_BH1M = dropout(row_BH1M, self.attn_drop, self.training)
        with autocast_off(v_BHME):
            o_BH1E = (used_BH1M @ v_BHME.to(row_BH1M.dtype)).to(v_BHME.dtype)
        y_BND = self.finish(o_BH1E).expand(-1, x_BND.shape[1], -1)
        if need == "none":
            return y_BND
        return y_BND, row_BH1M[:, :, 0] if need == "row" else row_BH1M.expand(-1, -1, x_BND.shape[1], -1)

    def row(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None) -> Tensor:
        """The one row of the map (B,H,1,M), in at least float32."""
        q_BHNE = q_BHNE.to(torch.promote_types(q_BHNE.dtype, torch.float32))
        length_BHN1 = length(q_BHNE, (3,))
        if mask is not None and self.context_dim is None:
            length_BHN1 = length_BHN1.masked_fill(~mask.transpose(2, 3), 0.0)
        mean_BH1E = (length_BHN1 * q_BHNE).sum(2, keepdim=True) / (length_BHN1.sum(2, keepdim=True) + EPS)
        raw_BH1M = relu(logits(mean_BH1E, k_BHME))
        if mask is not None:
            raw_BH1M = raw_BH1M.masked_fill(~mask, 0.0)
        return self.rho(raw_BH1M) * raw_BH1M / (raw_BH1M.sum(-1, keepdim=True) + EPS)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        # the last projection has one token to do
        return super().macs(n, m, grid) - 2 * n * m * self.dim + 2 * m * self.dim - (n - 1) * self.dim**2
