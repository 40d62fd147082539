"""The block of a vision transformer: x += mix(norm1 x); x += mlp(norm2 x). Parameters are named as in timm.

Shapes: B batch, N tokens, D width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from core_attention.blocks.droppath import DropPath
from core_attention.registry import build_mixer
from core_attention.segments import Segments

__all__ = ["LayerScale", "Mlp", "PreNorm"]


class LayerScale(nn.Module):
    """A learned factor per channel, small at first."""

    def __init__(self, dim: int, init: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class PreNorm(nn.Module):
    """`mixer` names any mixer of self attention; `mixer_options` are its own."""

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
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = build_mixer(mixer, dim, heads, **(mixer_options or {}))
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), mlp_drop)
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.drop_path2 = DropPath(drop_path)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        grid: tuple[int, int] | None = None,
        segments: Segments | None = None,
        need: str = "none",
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Arguments and answers as of a Mixer; `grid` may always be given and is passed on to a mixer that needs it."""
        grid = grid if self.attn.spec.needs_grid else None
        mixed = self.attn(self.norm1(x), mask=mask, grid=grid, segments=segments, need=need)
        y, extra = (mixed, None) if isinstance(mixed, Tensor) else mixed
        x = self.rest(x, y, segments)
        return x if extra is None else (x, extra)

    def rest(self, x: Tensor, mixed: Tensor, segments: Segments | None = None) -> Tensor:
        """All of the block but the mixing: for those who mix by themselves."""
        x = x + self.drop_path1(self.ls1(mixed), segments)
        del mixed  # the MLP needs the most room
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))), segments)
