"""The inverted residual: widen, filter each channel by itself, narrow (Sandler et al., arXiv 1801.04381).

With a norm in front, as MOAT has it. Parameters are named as in timm's `MbConvBlock`.

Shapes: B batch, C channels, H W map.
"""

from torch import Tensor, nn
from torch.nn.functional import gelu

from core_attention.blocks.droppath import DropPath

__all__ = ["MbConv"]


class MbConv(nn.Module):
    """BN, 1x1, BN, GELU, depthwise 3x3, BN, GELU, 1x1; around it the map itself, pooled and projected where its shape changes.

    `ratio` counts from the wide side (ours, as timm does); no squeeze-and-excitation (ours; MOAT's block has none).
    """

    def __init__(self, narrow: int, wide: int, stride: int = 1, ratio: int = 4, drop_path: float = 0.0) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"the stride of an inverted residual is 1 or 2, not {stride}")
        inner = ratio * wide
        self.shortcut = Shortcut(narrow, wide, stride)
        self.pre_norm = nn.BatchNorm2d(narrow)
        self.conv1_1x1 = nn.Conv2d(narrow, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2_kxk = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3_1x1 = nn.Conv2d(inner, wide, 1)
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW = gelu(self.norm1(self.conv1_1x1(self.pre_norm(x_BCHW))))
        y_BCHW = self.conv3_1x1(gelu(self.norm2(self.conv2_kxk(y_BCHW))))
        return self.shortcut(x_BCHW) + self.drop_path(y_BCHW)


class Shortcut(nn.Module):
    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        # ceil_mode: an odd map ends as large as the strided convolution leaves it
        self.pool = nn.AvgPool2d(2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.expand = nn.Conv2d(narrow, wide, 1) if stride == 2 or narrow != wide else nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.expand(self.pool(x_BCHW))
