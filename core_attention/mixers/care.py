"""CARE: linear attention on a part of the channels, depthwise convolutions on others, and two small networks that let them talk.

The channels are cut into memory, which is left alone, and three equal parts: linear attention whose values are the untouched input, a
depthwise 3 x 3 and a depthwise 7 x 7 convolution. The first network mixes the three, the second mixes them with the memory.

Shapes: B batch, N tokens = cells of the grid, D width, P width of a part, H heads, E head width, Y X the grid.
"""

import torch
from torch import Tensor, nn

from core_attention.contract import Mixer, MixerSpec
from core_attention.grids import to_grid
from core_attention.mixers.linear import linear_attention
from core_attention.registry import register_mixer

__all__ = ["Care"]

SMALL = 1e-6  # where the factor on the whole begins, as the authors'


class Interaction(nn.Module):
    """Norm, 1x1 to more channels, depthwise 3x3, 1x1 back; with its shortcut."""

    def __init__(self, dim: int, ratio: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(dim)
        self.expand = nn.Conv2d(dim, ratio * dim, 1)
        self.depthwise = nn.Conv2d(ratio * dim, ratio * dim, 3, padding=1, groups=ratio * dim)
        self.act = nn.GELU()
        self.reduce = nn.Conv2d(ratio * dim, dim, 1)

    def forward(self, x_BDYX: Tensor) -> Tensor:
        return x_BDYX + self.reduce(self.act(self.depthwise(self.expand(self.norm(x_BDYX)))))


@register_mixer
class Care(Mixer):
    """conv: sides of the two convolutions. attention: "linear", or "strips" for a 1 x 11 and an 11 x 1 convolution in its place, as the
    authors' early stages have. ratio: of the two networks. ours: a quarter of the channels is memory, as each part is.

    There is no map of the whole; `linear` is the attention alone, and has one.
    """

    spec = MixerSpec(
        name="care",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none"}),
        masks=frozenset(),
        equation="[memory | linear attention | 3 x 3 | 7 x 7], then two networks of 1 x 1 and depthwise convolutions",
        read="the authors' code",
        refuses=("a width that does not divide by 4 heads", "even convolutions"),
        complexity="N D^2 (1 / (8 H) + 3 r)",
        source="CARE Transformer, arXiv 2411.16170",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        conv: tuple[int, int] = (3, 7),
        attention: str = "linear",
        ratio: int = 2,
        causal: bool = False,
        context_dim: int | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads < 1 or dim % (4 * heads):
            raise ValueError(f"care: dim={dim} does not divide by 4 heads, heads={heads}: a quarter of the channels has them")
        if attention not in ("linear", "strips"):
            raise ValueError(f"care: attention is linear or strips, not {attention!r}")
        if any(side < 1 or side % 2 == 0 for side in conv):
            raise ValueError(f"care: conv={tuple(conv)}: both sides are odd")
        self.dim, self.heads, self.part, self.conv, self.ratio = dim, heads, dim // 4, tuple(conv), ratio
        self.qk = nn.Conv2d(self.part, 2 * self.part, 1) if attention == "linear" else None
        self.strips = None
        if attention == "strips":
            across = nn.Conv2d(self.part, self.part, (1, 11), padding=(0, 5), groups=self.part)
            down = nn.Conv2d(self.part, self.part, (11, 1), padding=(5, 0), groups=self.part)
            self.strips = nn.Sequential(across, down)
        self.near, self.far = (nn.Conv2d(self.part, self.part, side, padding=side // 2, groups=self.part) for side in conv)
        self.within = Interaction(3 * self.part, ratio)
        self.across = Interaction(dim, ratio)
        self.gamma = nn.Parameter(torch.full((dim, 1, 1), SMALL))
        self.proj_drop = nn.Dropout(proj_drop)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        memory_BPYX, first_BPYX, second_BPYX, third_BPYX = to_grid("care", x_BND, grid).movedim(3, 1).chunk(4, 1)
        parts_BFYX = self.within(torch.cat([self.attend(first_BPYX), self.near(second_BPYX), self.far(third_BPYX)], 1))
        y_BDYX = self.gamma * self.across(torch.cat([memory_BPYX, parts_BFYX], 1))
        return self.proj_drop(y_BDYX.flatten(2).transpose(1, 2)).to(x_BND.dtype)

    def attend(self, x_BPYX: Tensor) -> Tensor:
        if self.qk is None:
            assert self.strips is not None
            return self.strips(x_BPYX)
        q_BHNE, k_BHNE = (split(part, self.heads) for part in self.qk(x_BPYX).chunk(2, 1))
        o_BHNE = linear_attention(q_BHNE, k_BHNE, split(x_BPYX, self.heads))
        return o_BHNE.transpose(2, 3).reshape(x_BPYX.shape)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        part = self.part
        taps = sum(side**2 for side in self.conv) + (0 if self.qk is not None else 22)
        attention = 0 if self.qk is None else 2 * part**2 + 2 * part**2 // self.heads
        networks = sum(2 * self.ratio * width**2 + 9 * self.ratio * width for width in (3 * part, self.dim))
        return n * (attention + taps * part + networks)


def split(x_BPYX: Tensor, heads: int) -> Tensor:
    return x_BPYX.reshape(x_BPYX.shape[0], heads, x_BPYX.shape[1] // heads, -1).transpose(2, 3)
