"""A sandwich with two mixers in it: half a feed-forward step, one mixer, the other, half a feed-forward step.

Shapes: B batch, N tokens, D width.
"""

from typing import Any

from torch import Tensor, nn

from core_attention.blocks.prenorm import Mlp
from core_attention.registry import build_mixer

__all__ = ["DualMacaron"]


class DualMacaron(nn.Module):
    """x += 1/2 mlp1(norm1 x); x += first(norm_first x); x += second(norm2 x); x += 1/2 mlp2(norm3 x). Named as Macaron.

    `second` is a mixer of its own number of heads: a differential head is as wide as two plain ones.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        second_heads: int,
        mlp_ratio: float = 4.0,
        mixer: str = "softmax",
        second: str = "differential",
        mixer_options: dict[str, Any] | None = None,
        second_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio / 2)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp1 = Mlp(dim, hidden)
        self.norm_first = nn.LayerNorm(dim, eps=1e-6)
        self.first = build_mixer(mixer, dim, heads, **(mixer_options or {}))
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = build_mixer(second, dim, second_heads, **(second_options or {}))
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp2 = Mlp(dim, hidden)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + 0.5 * self.mlp1(self.norm1(x))
        x = x + self.first(self.norm_first(x), mask=mask)
        x = x + self.attn(self.norm2(x), mask=mask)
        return x + 0.5 * self.mlp2(self.norm3(x))
