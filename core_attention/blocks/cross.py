"""A block of cross attention: x looks at a context, then its own MLP; with a second one for the way back, both look at each other.

Shapes: B batch, N tokens of x, M tokens of the context, D and C their widths.
"""

from typing import Any

from torch import Tensor, nn

from core_attention.blocks.droppath import DropPath
from core_attention.blocks.prenorm import LayerScale, Mlp
from core_attention.registry import build_mixer
from core_attention.tokens import sanitise

__all__ = ["Cross"]

Answer = Tensor | tuple[Tensor, Tensor]


class Cross(nn.Module):
    """x += mix(norm1 x, norm_context context); x += mlp(norm2 x). Named as PreNorm, besides `norm_context`.

    bidirectional: a second Cross of its own weights, `back`, in which the context looks at x, both as they came in.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        context_dim: int | None = None,
        bidirectional: bool = False,
        mlp_ratio: float = 4.0,
        mixer: str = "softmax",
        mixer_options: dict[str, Any] | None = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()
        context_dim = dim if context_dim is None else context_dim
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.norm_context = nn.LayerNorm(context_dim, eps=1e-6)
        self.attn = build_mixer(mixer, dim, heads, context_dim=context_dim, **(mixer_options or {}))
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), mlp_drop)
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.drop_path2 = DropPath(drop_path)
        same = (mlp_ratio, mixer, mixer_options, mlp_drop, drop_path, layer_scale)
        self.back = Cross(context_dim, heads, dim, False, *same) if bidirectional else None

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None, back_mask: Tensor | None = None, need: str = "none"
    ) -> Answer | tuple[Answer, Answer]:
        """x (B,N,D); bidirectional: the pair (x, context). With another `need`, (y, map) in place of each.

        mask: what of the context may be seen, as of a Mixer; back_mask: what of x may be, on the way back.
        """
        if self.back is None and back_mask is not None:
            raise ValueError("Cross: back_mask is for a bidirectional block; here nothing looks at x")
        new = self.step(x, context, mask, need)
        return new if self.back is None else (new, self.back.step(context, x, back_mask, need))

    def step(self, x: Tensor, context: Tensor, mask: Tensor | None, need: str) -> Answer:
        if mask is not None and mask.ndim == 2:  # before the norm, whose weights would get the gradient 0 * NaN
            context = sanitise(context, mask)
        mixed = self.attn(self.norm1(x), self.norm_context(context), mask=mask, need=need)
        y, extra = (mixed, None) if isinstance(mixed, Tensor) else mixed
        x = x + self.drop_path1(self.ls1(y))
        x = x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))
        return x if extra is None else (x, extra)
