"""Linear attention: phi(q)^T (mean_j phi(k_j) v_j^T) / (phi(q) . mean_j phi(k_j)), with phi(t) = elu(t) + 1. Never N x M.

Shapes: B batch, N query tokens, M key tokens, D width, H heads, E head width.
"""

import torch
from torch import Tensor
from torch.nn.functional import elu

from core_attention.contract import MixerSpec
from core_attention.mixers.heads import Heads
from core_attention.mixers.seen import count_seen
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["Linear", "linear_attention", "linear_weights"]

EPS = 1e-6


def features(t_BHNE: Tensor, seen_BHM: Tensor | None = None) -> Tensor:
    """phi, in at least float32; zero for hidden keys."""
    phi_BHNE = elu(t_BHNE.to(torch.promote_types(t_BHNE.dtype, torch.float32))) + 1
    return phi_BHNE if seen_BHM is None else phi_BHNE.masked_fill(~seen_BHM.unsqueeze(-1), 0.0)


def linear_attention(q_BHNE: Tensor, k_BHME: Tensor, v_BHMF: Tensor, seen_BHM: Tensor | None = None, causal: bool = False) -> Tensor:
    """(B,H,N,F). Means and not sums over the keys: they stay in the range of half precision at any length."""
    with autocast_off(q_BHNE):
        q_BHNE, k_BHME = features(q_BHNE), features(k_BHME, seen_BHM)
        v_BHMF, dtype = v_BHMF.to(k_BHME.dtype), v_BHMF.dtype
        count = count_seen(k_BHME, None if seen_BHM is None else seen_BHM.unsqueeze(2), causal)
        if causal:
            sums_BHMEF = (k_BHME.unsqueeze(-1) @ v_BHMF.unsqueeze(-2)).cumsum(2)
            above_BHNF = (q_BHNE.unsqueeze(-2) @ sums_BHMEF).squeeze(-2) / count
            below_BHN1 = (q_BHNE * (k_BHME.cumsum(2) / count)).sum(-1, keepdim=True)
        else:
            above_BHNF = q_BHNE @ (k_BHME.transpose(2, 3) @ v_BHMF / count)
            below_BHN1 = (q_BHNE * (k_BHME.sum(2, keepdim=True) / count)).sum(-1, keepdim=True)
        return (above_BHNF / below_BHN1.clamp(min=EPS)).to(dtype)


def linear_weights(q_BHNE: Tensor, k_BHME: Tensor, seen_BHM: Tensor | None = None, causal: bool = False) -> Tensor:
    """The map that is never formed otherwise, (B,H,N,M)."""
    with autocast_off(q_BHNE):
        raw_BHNM = features(q_BHNE) @ features(k_BHME, seen_BHM).transpose(2, 3)
        raw_BHNM = raw_BHNM.tril() if causal else raw_BHNM
        count = count_seen(k_BHME, None if seen_BHM is None else seen_BHM.unsqueeze(2), causal)
        return raw_BHNM / count / (raw_BHNM.sum(-1, keepdim=True) / count).clamp(min=EPS)


@register_mixer
class Linear(Heads):
    """ours: where the denominator is tiny it is held at 1e-6, instead of adding 1e-6 to all, so that rows of maps sum to one.

    Causal maps are running sums: N E^2 numbers a head in training.
    """

    spec = MixerSpec(
        name="linear",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset({"key"}),
        equation="y = phi(q)^T mean(phi(k) v^T) / (phi(q) . mean phi(k)), phi = elu + 1",
        read="the authors' code (of CARE)",
        refuses=("masks of pairs: the map is never formed",),
        complexity="(N + M) D^2 / H",
        source="Katharopoulos et al., arXiv 2006.16236; CARE, arXiv 2411.16170",
        ragged=True,
    )

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        return linear_weights(q_BHNE, k_BHME, None if mask is None else mask[:, :, 0], causal)

    def combine(
        self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None, causal: bool, need_lse: bool
    ) -> tuple[Tensor, Tensor | None]:
        return linear_attention(q_BHNE, k_BHME, v_BHME, None if mask is None else mask[:, :, 0], causal), None

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        return super().macs(n, m, grid) - 2 * n * m * self.dim + (n + m) * self.dim**2 // self.heads
