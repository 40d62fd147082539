"""The block of DuoFormer: attention over the scales of each patch, then attention over the patches.

Tang et al., arXiv 2407.13920 and 2506.12982, read only as an abstract and a public summary. Each patch of the picture has tokens of
several scales, and in front of them a scale token that gathers what they say; patches speak through their scale tokens.

Shapes: B batch, P patches, S scale token and tokens of all scales, D width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from core_attention.blocks.prenorm import PreNorm

__all__ = ["DuoBlock"]


class DuoBlock(nn.Module):
    """ours: one scale attention and one patch attention a block, each with its feed-forward layer, each scale token put back in its place.

    `mixer` is that of the patch attention, whose tokens have a grid; the scale attention is plain. Stochastic depth drops whole patches
    in the scale attention, whole pictures in the patch attention.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float = 4.0,
        mixer: str = "softmax",
        mixer_options: dict[str, Any] | None = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = PreNorm(dim, heads, mlp_ratio, mlp_drop=mlp_drop, drop_path=drop_path)
        self.patch = PreNorm(dim, heads, mlp_ratio, mixer, mixer_options, mlp_drop, drop_path)

    def forward(self, x_BPSD: Tensor, grid: tuple[int, int]) -> Tensor:
        x_BPSD = self.scale(x_BPSD.flatten(0, 1)).reshape(x_BPSD.shape)
        token_BPD = self.patch(x_BPSD[:, :, 0], grid=grid)
        return torch.cat([token_BPD.unsqueeze(2), x_BPSD[:, :, 1:]], 2)
