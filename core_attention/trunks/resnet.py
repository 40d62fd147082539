"""Residual networks of 18 and 50 layers. Parameters are named as in torchvision and timm, so that their weights load.

Shapes: B batch, C channels, H W picture or map.
"""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import relu

from core_attention.blocks.init import initialise
from core_attention.trunks.trunk import Trunk

__all__ = ["RESNETS", "ResNet"]

RESNETS: dict[str, dict[str, Any]] = {
    "resnet18": {"layers": 18},
    "resnet18_half": {"layers": 18, "width": 0.5},
    "resnet50": {"layers": 50},
}


class Basic(nn.Module):
    expansion = 1

    def __init__(self, inner: int, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, inner, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, wide, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.downsample = _shortcut(narrow, wide, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn2

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW = relu(self.bn1(self.conv1(x_BCHW)))
        return relu(self.bn2(self.conv2(y_BCHW)) + self.downsample(x_BCHW))


class Bottleneck(nn.Module):
    """The stride is on the 3x3 convolution, as in torchvision and timm."""

    expansion = 4

    def __init__(self, inner: int, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.downsample = _shortcut(narrow, wide, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn3

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW = relu(self.bn1(self.conv1(x_BCHW)))
        y_BCHW = relu(self.bn2(self.conv2(y_BCHW)))
        return relu(self.bn3(self.conv3(y_BCHW)) + self.downsample(x_BCHW))


def _shortcut(narrow: int, wide: int, stride: int) -> nn.Module:
    if stride == 1 and narrow == wide:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(narrow, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))


LAYERS: dict[int, tuple[type[Basic] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (Basic, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(Trunk):
    """The features are the last map, the vector is its mean. `width` scales the channels of every stage (1: 64, 128, 256, 512).

    `stages`: how many of the four there are. The first map is `stem` times smaller than the picture, each further one half of the one
    before. `stem`: 4, a 7x7 convolution with stride 2 and a pooling; for small pictures 2 or 1, a 3x3 convolution with that stride alone.
    """

    def __init__(
        self,
        layers: int = 18,
        width: float = 1.0,
        channels: int = 3,
        stages: int = 4,
        stem: int = 4,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if stem not in (1, 2, 4):
            raise ValueError(f"stem={stem}: the first map of a residual network is 4, 2 or 1 times smaller than the picture")
        if not 1 <= stages <= 4:
            raise ValueError(f"a residual network has 1 to 4 stages, not {stages}")
        if layers not in LAYERS:
            raise ValueError(f"layers is {' or '.join(map(str, LAYERS))}, not {layers}")
        block, counts = LAYERS[layers]
        base = int(64 * width)
        if base < 1:
            raise ValueError(f"width={width} leaves no channel")
        side, stride = (7, 2) if stem == 4 else (3, stem)
        self.conv1 = nn.Conv2d(channels, base, side, stride, padding=side // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == 4 else nn.Identity()
        narrow = base
        for stage, count in enumerate(counts[:stages]):
            inner = base * 2**stage
            wide = inner * block.expansion
            blocks = [block(inner, wide, narrow if i == 0 else wide, 2 if stage and i == 0 else 1) for i in range(count)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            narrow = wide
        self.widths = [base * 2**stage * block.expansion for stage in range(stages)]
        self.dim = narrow
        initialise(self, generator)
        for part in self.modules():
            if isinstance(part, Basic | Bottleneck):  # every block begins as its shortcut (Goyal et al., arXiv 1706.02677)
                nn.init.zeros_(part.last_norm.weight)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        return self.maps(x_BCHW)[-1]

    def maps(self, x_BCHW: Tensor) -> list[Tensor]:
        """What each stage gives."""
        x_BCHW = self.maxpool(relu(self.bn1(self.conv1(x_BCHW))))
        maps: list[Tensor] = []
        for stage in range(1, len(self.widths) + 1):
            x_BCHW = self.get_submodule(f"layer{stage}")(x_BCHW)
            maps.append(x_BCHW)
        return maps

    def pool(self, features: Tensor) -> Tensor:
        return torch.mean(features, (2, 3))

    def layer_groups(self) -> list[list[str]]:
        return [["conv1.", "bn1."], *([f"layer{stage}."] for stage in range(1, len(self.widths) + 1))]
