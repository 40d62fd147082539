"""Differential attention: y = (1 - lam_init) norm((softmax(Q1 K1^T) - lam softmax(Q2 K2^T)) V) per head.

Shapes: B batch, N tokens, H heads, F width of a query (half a head's).
"""

from torch import Tensor

from core_attention.contract import MixerSpec
from core_attention.mixers.heads import RMSNorm
from core_attention.mixers.signed import Signed
from core_attention.registry import register_mixer

__all__ = ["Differential"]


class HalfNorm(RMSNorm):
    """Of each half of a head's queries or keys by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(*x.shape[:-1], 2, -1)).flatten(-2)


@register_mixer
class Differential(Signed):
    """`heads` are differential ones: about half as many as those of a plain mixer. Queries and keys of a head lie in pairs."""

    spec = MixerSpec(
        name="differential",
        patterns=frozenset({"ns", "cs", "nc", "cc"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset({"key", "pair", "bias"}),
        equation="A = softmax(s Q_1 K_1^T) - lam softmax(s Q_2 K_2^T); y = (1 - lam_init) RMSNorm(A V)",
        read="the authors' and timm's code",
        refuses=("neither depth nor lambda_init", "a width that does not divide by 2 heads"),
        complexity="2 N M D",
        source="Ye et al., arXiv 2410.05258",
        ragged=True,
        mass="free",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        depth: int | None = None,
        lambda_init: float | None = None,
        lambda_per_head: bool = False,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        keys_apart: bool = False,
        learned: bool = True,
    ) -> None:
        if heads < 1 or dim % (2 * heads):
            raise ValueError(f"differential: dim={dim} does not divide by 2 heads={heads}, two queries a head")
        width = dim // (2 * heads)
        super().__init__(
            dim, heads, width, depth, lambda_init, lambda_per_head, qkv_bias, causal, context_dim, attn_drop, proj_drop, keys_apart, learned
        )  # fmt: skip
        if qk_norm:
            self.q_norm, self.k_norm = HalfNorm(width), HalfNorm(width)

    def split(self, t: Tensor) -> tuple[Tensor, Tensor]:
        first_BHNF, second_BHNF = t.chunk(2, -1)
        return first_BHNF, second_BHNF
