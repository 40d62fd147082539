"""Pictures to tokens by the first stages of a residual network: the hybrid of Dosovitskiy et al., arXiv 2010.11929.

ours: plain ResNet stages with batch normalisation, where the published hybrids have ResNetV2 with group normalisation.
Parameters are named as in timm's `HybridEmbed`: `backbone.*`, `proj`.

Shapes: B batch, C channels, H W picture, P patches, D width.
"""

from torch import Tensor, nn

from core_attention.trunks.resnet import RESNETS, ResNet

__all__ = ["HybridPatches"]

STAGES = {(4, 4): 1, (8, 8): 2, (16, 16): 3, (32, 32): 4}  # by the size of a patch: how many stages halve the picture so often


class HybridPatches(nn.Module):
    def __init__(self, dim: int, patch: tuple[int, int], channels: int, network: str) -> None:
        super().__init__()
        if patch not in STAGES:
            raise ValueError(f"stem={network!r} needs a patch of 4, 8, 16 or 32, not {patch[0]}x{patch[1]}")
        self.backbone = ResNet(**RESNETS[network], channels=channels, stages=STAGES[patch])
        self.proj = nn.Conv2d(self.backbone.dim, dim, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.proj(self.backbone.forward_features(x_BCHW)).flatten(2).transpose(1, 2)
