"""Large kernel attention: each channel is gated by what depthwise convolutions see around it. No heads, no map.

u = gelu(proj_1 x), a = conv1(conv_spatial(conv0 u)), y = proj_2(a * u) + x: a 5x5 and a dilated 7x7 kernel, which look
11 cells away on every side. Of the paper (VAN, arXiv 2202.09741) the abstract was read; the form is the one commonly given.

Shapes: B batch, N tokens, D width, Y X the grid.
"""

from torch import Tensor, nn
from torch.nn.functional import gelu

from core_attention.contract import Mixer, MixerSpec
from core_attention.grids import to_grid
from core_attention.registry import register_mixer

__all__ = ["Lka"]


class SpatialGate(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.conv_spatial = nn.Conv2d(dim, dim, 7, padding=9, dilation=3, groups=dim)
        self.conv1 = nn.Conv2d(dim, dim, 1)

    def forward(self, u_BDYX: Tensor) -> Tensor:
        return u_BDYX * self.conv1(self.conv_spatial(self.conv0(u_BDYX)))


@register_mixer
class Lka(Mixer):
    """The shortcut belongs to it: a block adds its own. Beyond the border there are zeros. Parameters are named as in VAN."""

    spec = MixerSpec(
        name="lka",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none"}),
        masks=frozenset(),
        equation="y = W_2 (conv1(dilated 7 x 7(5 x 5 u)) * u) + x, u = gelu(W_1 x)",
        read="the abstract; the form is second-hand",
        refuses=("heads other than 1", "tokens beside the grid"),
        complexity="(25 + 49) N D",
        source="VAN, arXiv 2202.09741",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(self, dim: int, heads: int, causal: bool = False, context_dim: int | None = None) -> None:
        super().__init__(causal, context_dim)
        if heads != 1:
            raise ValueError(f"lka has no heads: every channel has a gate of its own; build it with heads=1, not {heads}")
        self.dim = dim
        self.proj_1 = nn.Conv2d(dim, dim, 1)
        self.spatial_gating_unit = SpatialGate(dim)
        self.proj_2 = nn.Conv2d(dim, dim, 1)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        x_BDYX = to_grid("lka", x_BND, grid).movedim(3, 1)
        y_BDYX = self.proj_2(self.spatial_gating_unit(gelu(self.proj_1(x_BDYX)))) + x_BDYX
        return y_BDYX.flatten(2).transpose(1, 2)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        return 3 * n * self.dim**2 + (25 + 49) * n * self.dim
