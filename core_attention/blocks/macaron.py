"""The block as a sandwich: half a feed-forward step before the mixer and half a step after it.

Lu et al., arXiv 1906.02762, read only as an abstract: x += 1/2 mlp1(norm1 x); x += mix(norm2 x); x += 1/2 mlp2(norm3 x).

Shapes: B batch, N tokens, D width.
"""

from typing import Any

from torch import Tensor, nn

from core_attention.blocks.droppath import DropPath
from core_attention.blocks.prenorm import LayerScale, Mlp
from core_attention.registry import build_mixer
from core_attention.segments import Segments

__all__ = ["Macaron"]


class Macaron(nn.Module):
    """Arguments as of PreNorm. `mlp_ratio` is that of both steps together, so that a block has as many weights as a PreNorm."""

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float = 4.0,
        mixer: str = "softmax",
        mixer_options: dict[str, Any] | None = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()

        def scale() -> nn.Module:
            return nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)

        hidden = int(dim * mlp_ratio / 2)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp1 = Mlp(dim, hidden, mlp_drop)
        self.ls1 = scale()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = build_mixer(mixer, dim, heads, **(mixer_options or {}))
        self.ls2 = scale()
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp2 = Mlp(dim, hidden, mlp_drop)
        self.ls3 = scale()
        # ours: each of the three branches is dropped by itself, as in PreNorm
        self.drop_path1, self.drop_path2, self.drop_path3 = DropPath(drop_path), DropPath(drop_path), DropPath(drop_path)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
        segments: Segments | None = None,
        need: str = "none",
    ) -> Tensor | tuple[Tensor, Tensor]:
        """As PreNorm's."""
        x = x + self.drop_path1(self.ls1(0.5 * self.mlp1(self.norm1(x))), segments)
        grid = grid if self.attn.spec.needs_grid else None
        mixed = self.attn(self.norm2(x), mask=mask, grid=grid, segments=segments, need=need)
        y, extra = (mixed, None) if isinstance(mixed, Tensor) else mixed
        x = x + self.drop_path2(self.ls2(y), segments)
        x = x + self.drop_path3(self.ls3(0.5 * self.mlp2(self.norm3(x))), segments)
        return x if extra is None else (x, extra)
