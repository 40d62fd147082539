"""Observation: a stem that sees strokes, and the encoder of macaron blocks (2.1, 2.2).

Shapes: B batch, C channels, H W picture, R S rows and columns of tokens, N = R S tokens, D width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from apps.otsnet.options import STRIDES, Observe
from core_attention.blocks import DualMacaron, Macaron, PreNorm
from core_attention.trunks.load import resize_positions

__all__ = ["Observer", "column_mean", "waves", "waves_2d"]


class Observer(nn.Module):
    """Pictures to tokens V, and the positions P2 that whoever looks at them adds to his keys.

    >>> V_BND = Observer(Observe())(torch.randn(2, 3, 32, 128))
    """

    def __init__(self, options: Observe, blocks: bool = True, keys: bool = True) -> None:
        """blocks=False: the stem alone, for an encoder of another kind. keys=False: nobody will look at the tokens, so there is no P2."""
        super().__init__()
        dim, self.cells = options.d, options.cells
        self.attention = (options.attention or "differential") if blocks else "none"
        self.stride, self.padded = STRIDES[options.grid], options.padded
        self.stem = make_stem(options.stem, dim, self.stride)
        count = self.cells[0] * self.cells[1]
        if options.pos == "learned":
            self.place = nn.Parameter(torch.zeros(1, count, dim))
            self.key_place = nn.Parameter(torch.zeros(1, count, dim)) if keys else None
        else:
            table_1ND = waves_2d(self.cells, dim)
            self.register_buffer("place", table_1ND, persistent=False)
            self.register_buffer("key_place", table_1ND.clone(), persistent=False)
        self.learned = options.pos == "learned"
        self.blocks = nn.ModuleList(make_blocks(options) if blocks else [])
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        seen_BN = self.seen(x_BCHW)
        if seen_BN is not None:  # what is no picture is grey, and is looked at by nobody
            x_BCHW = torch.where(x_BCHW.isnan(), 0.0, x_BCHW)
        x_BDRS = self.stem(x_BCHW)
        # whole rows in memory: else sums keep the picture's order, and every norm of every block copies them first
        v_BND = x_BDRS.flatten(2).transpose(1, 2).contiguous()
        v_BND = v_BND + self.places(self.place, self.cells_of(x_BCHW))
        for block in self.blocks:
            v_BND = block(v_BND, mask=seen_BN)
        return self.norm(v_BND)

    def seen(self, x_BCHW: Tensor) -> Tensor | None:
        """Which tokens have a pixel of the picture in them, bool (B,N); None: all, for pictures are stretched."""
        columns_BS = self.seen_columns(x_BCHW)
        return None if columns_BS is None else columns_BS.repeat(1, self.cells_of(x_BCHW)[0])

    def seen_columns(self, x_BCHW: Tensor) -> Tensor | None:
        """The same of columns of tokens, bool (B,S)."""
        if not self.padded:
            return None
        return ~x_BCHW[:, 0, 0, :: self.stride[1]].isnan()  # a picture begins at the left, so that its first column tells of a token

    def shown(self, x_BCHW: Tensor) -> Tensor | None:
        """Share of the width that is the picture, (B,); None: all."""
        return (~x_BCHW[:, 0, 0].isnan()).to(torch.float32).mean(1) if self.padded else None

    def cells_of(self, x_BCHW: Tensor) -> tuple[int, int]:
        """Rows and columns of tokens of these pictures."""
        height, width = int(x_BCHW.shape[2]), int(x_BCHW.shape[3])
        (high, wide), channels = self.stride, x_BCHW.shape[1]
        if channels != 3 or height < high or width < wide or height % high or width % wide:
            raise ValueError(
                f"a picture of {channels}x{height}x{width} is not 3 channels of whole tokens of {high}x{wide} pixels; "
                f"this model was made for 3x{self.cells[0] * high}x{self.cells[1] * wide}"
            )
        return height // high, width // wide

    def places(self, table_1ND: Tensor, cells: tuple[int, int]) -> Tensor:
        """Positions of a grid of this size."""
        if cells == self.cells:
            return table_1ND
        if self.learned:
            return resize_positions(table_1ND, self.cells, cells, 0)
        return waves_2d(cells, table_1ND.shape[2]).to(table_1ND)

    def keys(self, x_BCHW: Tensor) -> Tensor:
        """P2 of these pictures, (1,N,D)."""
        assert self.key_place is not None
        return self.places(self.key_place, self.cells_of(x_BCHW))


def make_stem(kind: str, dim: int, stride: tuple[int, int]) -> nn.Module:
    if kind == "patch":
        return nn.Conv2d(3, dim, stride, stride)
    last = (1, 2) if stride == (4, 8) else (2, 1)
    layers: list[nn.Module] = []
    for inputs, outputs, step in ((3, dim // 4, (2, 2)), (dim // 4, dim // 2, (2, 2)), (dim // 2, dim, last)):
        layers += [nn.Conv2d(inputs, outputs, 3, step, 1, bias=False), nn.BatchNorm2d(outputs), nn.GELU()]
    if stride == (32, 4):  # and what lies above one another becomes one token
        layers += [nn.Conv2d(dim, dim, 3, 1, 1, bias=False), nn.BatchNorm2d(dim), nn.GELU()]
        layers += [nn.Conv2d(dim, dim, (4, 1), (4, 1), bias=False), nn.BatchNorm2d(dim), nn.GELU()]
    return nn.Sequential(*layers)


def make_blocks(options: Observe) -> list[nn.Module]:
    """The attention of each block; a differential one knows its depth."""
    kind, macaron = options.attention or "differential", options.macaron is not False
    dim, pairs, depth = options.d, options.h, options.blocks
    plain: dict[str, Any] = {"qkv_bias": False}
    if kind == "dual":
        depth = max(1, (3 * depth + 2) // 4)  # three quarters, rounded: as many weights as the others
        return [DualMacaron(dim, 2 * pairs, pairs, mixer_options=plain, second_options={"depth": i}) for i in range(depth)]
    block = Macaron if macaron else PreNorm
    if kind == "softmax":
        return [block(dim, 2 * pairs, mixer="softmax", mixer_options=plain) for _ in range(depth)]
    learned = kind == "differential"
    return [block(dim, pairs, mixer="differential", mixer_options={"depth": i, "learned": learned}) for i in range(depth)]


def waves(count: int, dim: int) -> Tensor:
    """Sines and cosines of places on a line, (count,dim)."""
    rate_F = 10_000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle_NF = torch.arange(count, dtype=torch.float32)[:, None] * rate_F
    return torch.stack([angle_NF.sin(), angle_NF.cos()], 2).flatten(1)[:, :dim]


def waves_2d(cells: tuple[int, int], dim: int) -> Tensor:
    """Half of the width for the row, half for the column, (1,N,D)."""
    rows, columns = cells
    row_RF, column_SF = waves(rows, dim // 2), waves(columns, dim - dim // 2)
    both_RSD = torch.cat([row_RF[:, None].expand(-1, columns, -1), column_SF[None].expand(rows, -1, -1)], 2)
    return both_RSD.flatten(0, 1)[None]


def column_mean(v_BND: Tensor, cells: tuple[int, int]) -> Tensor:
    """Tokens of a column as one, (B,S,D)."""
    return v_BND.unflatten(1, cells).mean(1)
