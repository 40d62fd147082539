"""MOAT as a trunk: a convolutional stem, two stages of inverted residuals, two stages of MOAT blocks.

Yang et al., arXiv 2210.01820, read only as an abstract and second-hand; the sizes of `moat_tiny` are those of tiny-MOAT-0. There is no
public set of weights that these names would fit.

Shapes: B batch, C channels, H W picture or map.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import gelu

from core_attention.blocks.init import initialise
from core_attention.blocks.mbconv import MbConv
from core_attention.blocks.moat import MoatBlock
from core_attention.trunks.per_block import Options, per_block
from core_attention.trunks.trunk import Trunk

__all__ = ["MoatTrunk"]

FIRST = 2  # stages of inverted residuals, before those of MOAT blocks


class MoatTrunk(Trunk):
    """The features are the last map, normalised at each place; the vector is its mean. Pictures of any size.

    widths, depths, strides: channels, blocks and the first block's stride of each of the four stages; the stem halves the picture.
    window: side of the windows of the third stage, whose map is large; None: each place attends to the whole map.
    mixer, mixer_options: one for all MOAT blocks, or a list with one for each.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256),
        depths: Sequence[int] = (2, 3, 7, 2),
        strides: Sequence[int] = (2, 2, 2, 2),
        channels: int = 3,
        ratio: int = 4,
        window: int | None = None,
        mixer: str | Sequence[str] = "softmax",
        mixer_options: Options = None,
        drop_path: float = 0.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        for name, given in (("widths", widths), ("depths", depths), ("strides", strides)):
            if len(given) != 2 * FIRST:
                raise ValueError(f"{name} has {len(given)} numbers; this trunk has {2 * FIRST} stages")
        self.stem = Stem(channels, widths[0])
        self.stages = nn.ModuleList()
        mixers = iter(per_block(mixer, mixer_options, sum(depths[FIRST:])))
        narrow, done = widths[0], 0
        for stage, (wide, depth, first_stride) in enumerate(zip(widths, depths, strides, strict=True)):
            blocks: list[nn.Module] = []
            for i in range(depth):
                stride = first_stride if i == 0 else 1
                drop = drop_path * done / max(1, sum(depths) - 1)  # grows with depth, from 0 to drop_path
                if stage < FIRST:
                    blocks.append(MbConv(narrow, wide, stride, ratio, drop))
                else:
                    side = window if stage == FIRST else None
                    blocks.append(MoatBlock(narrow, wide, stride, ratio, side, *next(mixers), drop_path=drop))
                narrow, done = wide, done + 1
            self.stages.append(nn.ModuleList(blocks))
        self.norm = nn.LayerNorm(narrow, eps=1e-6)  # ours: before the mean, as the blocks' attention leaves its sum unnormalised
        self.dim = narrow
        initialise(self, generator)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.stem(x_BCHW)
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x_BCHW = block(x_BCHW)
        return self.norm(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def pool(self, features: Tensor) -> Tensor:
        return torch.mean(features, (2, 3))

    def layer_groups(self) -> list[list[str]]:
        blocks = [[f"stages.{s}.{i}."] for s, stage in enumerate(self.stages) for i, _ in enumerate(stage.children())]
        return [["stem."], *blocks, ["norm."]]


class Stem(nn.Module):
    """Two 3x3 convolutions, the first of stride 2. Named as in timm's MaxxVit."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wide, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.conv2(gelu(self.norm1(self.conv1(x_BCHW))))
