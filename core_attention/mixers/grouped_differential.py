"""Grouped differential attention: several heads subtract the same map, so that more of the width goes into signal.

Only the abstract was at hand. Ours: head i subtracts map i // ratio; the width of a query; V has the width of a head.

Shapes: B batch, N query tokens, M key tokens, D width, C context width, H heads, K heads of the subtracted maps, F width of a query.
"""

from torch import Tensor, nn

from core_attention.contract import MixerSpec
from core_attention.mixers.heads import RMSNorm
from core_attention.mixers.signed import Signed
from core_attention.registry import register_mixer

__all__ = ["GroupedDifferential"]


@register_mixer
class GroupedDifferential(Signed):
    """`heads` signal heads and heads / `ratio` noise heads; in the rows of `qkv` the signal heads come first.

    With ratio=1 it is `differential`, whose rows lie in pairs.
    """

    spec = MixerSpec(
        name="grouped_differential",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="A_i = softmax(s Q_i K_i^T) - lam softmax(s Q'_g K'_g^T), g = floor(i / G)",
        read="the abstract; the pairing is ours",
        refuses=("heads that do not divide by ratio",),
        complexity="2 N M D",
        source="Grouped Differential Attention, arXiv 2510.06949",
        ragged=True,
        mass="free",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        ratio: int = 3,
        depth: int | None = None,
        lambda_init: float | None = None,
        lambda_per_head: bool = False,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        if ratio < 1 or heads < 1 or heads % ratio:
            raise ValueError(f"grouped_differential: heads={heads} do not divide by ratio={ratio}")
        all_heads = heads + heads // ratio
        if dim < all_heads:
            raise ValueError(f"grouped_differential: dim={dim} is too narrow for {all_heads} heads of queries")
        width = query_width(dim, all_heads)
        super().__init__(
            dim, heads, width, depth, lambda_init, lambda_per_head, qkv_bias, causal, context_dim, attn_drop, proj_drop
        )  # fmt: skip
        self.noise_heads = heads // ratio
        self.query_width = width
        inner = all_heads * width
        if context_dim is None:
            self.qkv = nn.Linear(dim, 2 * inner + dim, bias=qkv_bias)
        else:
            self.q = nn.Linear(dim, inner, bias=qkv_bias)
            self.kv = nn.Linear(context_dim, inner + dim, bias=qkv_bias)
        if qk_norm:
            self.q_norm, self.k_norm = RMSNorm(width), RMSNorm(width)

    def project(self, x_BND: Tensor, context_BMC: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        inner = (self.heads + self.noise_heads) * self.query_width
        if context_BMC is None:
            q, k, v = self.qkv(x_BND).split([inner, inner, self.dim], -1)
        else:
            q = self.q(x_BND)
            k, v = self.kv(context_BMC).split([inner, self.dim], -1)
        q, k = (t.unflatten(-1, (-1, self.query_width)).transpose(1, 2) for t in (q, k))
        return self.q_norm(q), self.k_norm(k), v.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def split(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return t[:, : self.heads], t[:, self.heads :]

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        inner = (self.heads + self.noise_heads) * self.query_width
        keys = m * (self.context_dim or self.dim) * (inner + self.dim)
        return n * self.dim * (inner + self.dim) + keys + n * m * (inner + self.dim)


def query_width(dim: int, heads: int) -> int:
    """F: an equal share of the width; where that is no whole number, a multiple of 8 below it."""  # ours
    share = dim // heads
    return share if dim % heads == 0 or share < 8 else share // 8 * 8
