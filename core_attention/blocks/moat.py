"""The block of MOAT: an inverted residual in the place of the feed-forward layer, and attention behind it.

Yang et al., arXiv 2210.01820, read only as an abstract and second-hand: the convolution comes first and does the downsampling, there is
no feed-forward layer, heads are 32 wide, large maps attend within windows that need no shift.

Shapes: B batch, C channels, H W map, N tokens.
"""

from typing import Any

from torch import Tensor, nn

from core_attention.blocks.droppath import DropPath
from core_attention.blocks.mbconv import MbConv
from core_attention.blocks.windows import from_windows, to_windows
from core_attention.registry import build_mixer

__all__ = ["MoatBlock"]

HEAD = 32  # channels of a head


class MoatBlock(nn.Module):
    """A map to a map. `window`: side of the windows within which tokens attend to each other; None: over the whole map.

    ours: no position embedding; the depthwise convolutions tell positions.
    """

    def __init__(
        self,
        narrow: int,
        wide: int,
        stride: int = 1,
        ratio: int = 4,
        window: int | None = None,
        mixer: str = "softmax",
        mixer_options: dict[str, Any] | None = None,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if wide % HEAD:
            raise ValueError(f"a MOAT block has heads of {HEAD} channels; its width must be a multiple of that, not {wide}")
        if window is not None and window < 1:
            raise ValueError(f"a window is 1 token wide or more, not {window}; None attends over the whole map")
        self.window = window
        self.conv = MbConv(narrow, wide, stride, ratio, drop_path)
        self.norm = nn.LayerNorm(wide, eps=1e-6)
        self.attn = build_mixer(mixer, wide, wide // HEAD, **(mixer_options or {}))
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.conv(x_BCHW)
        y_BHWC = self.norm(x_BCHW.permute(0, 2, 3, 1))
        return x_BCHW + self.drop_path(self._attend(y_BHWC).permute(0, 3, 1, 2))

    def _attend(self, x_BHWC: Tensor) -> Tensor:
        height, width = x_BHWC.shape[1:3]
        if self.window is None:
            grid = (height, width) if self.attn.spec.needs_grid else None
            return self.attn(x_BHWC.flatten(1, 2), grid=grid).reshape(x_BHWC.shape)
        x_BND, real_BN = to_windows(x_BHWC, self.window)
        grid = (self.window, self.window) if self.attn.spec.needs_grid else None
        return from_windows(self.attn(x_BND, mask=real_BN, grid=grid), self.window, height, width)
