"""Context mixing: every cell gets depthwise kernels of its own, made from how it fits a 7 x 7 overview of the whole grid.

An affinity of each cell to the 49 places, per group of channels, goes through one linear map to the taps of a small and of a large kernel;
a softmax over each. Half of the channels are mixed by the small ones, half by the large. Windows are shifted inward at borders. The
block around it in OverLoCK (gates, convolutions, squeeze and excitation) is not part of it.

Shapes: B batch, N tokens = cells of the grid, D width, S groups = 2 * heads, E width of a group, O = 49 places of the overview,
K taps of a kernel, Y X the grid, C channels of a group in one half.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from core_attention.contract import Mixer, MixerSpec
from core_attention.grids import to_grid
from core_attention.mixers.windows import cells, neighbours
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["ContMix"]

OVERVIEW = 7


@register_mixer
class ContMix(Mixer):
    """kernel, small: sides of the two kernels, odd. Grids smaller than the large one are refused (ours: the authors upsample).
    Parameters are named as the authors'. Maps are those of the small kernels, then of the large ones, 4 * heads in all.

    >>> build_mixer("contmix", 64, 2, kernel=7)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="contmix",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "full"}),
        masks=frozenset(),
        equation="y_i = sum_t softmax(W (q_i . k_o)_o + b)_t x_{i+t}, one small and one large kernel, k of a 7 x 7 overview",
        read="the authors' code",
        refuses=("a grid smaller than the kernel", "even kernels", "a width that does not divide by 4 heads"),
        complexity="N (49 + (k^2 + s^2) / 2) D",
        source="OverLoCK, arXiv 2502.20087",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        kernel: int = 7,
        small: int = 5,
        causal: bool = False,
        context_dim: int | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads < 1 or dim % (4 * heads):
            raise ValueError(f"contmix: dim={dim} does not divide by 4 heads, heads={heads}: there are two halves of two groups a head")
        if not small % 2 or not kernel % 2 or not 1 <= small <= kernel:
            raise ValueError(f"contmix: kernel={kernel} and small={small} are odd, and small is not above kernel")
        self.dim, self.groups, self.kernels = dim, 2 * heads, (small, kernel)
        self.weight_query = nn.Sequential(nn.Conv2d(dim, dim // 2, 1, bias=False), nn.BatchNorm2d(dim // 2))
        self.weight_key = nn.Sequential(nn.Conv2d(dim, dim // 2, 1, bias=False), nn.BatchNorm2d(dim // 2))
        self.weight_proj = nn.Linear(OVERVIEW**2, small**2 + kernel**2)
        self.rpb1 = nn.Parameter(torch.zeros(self.groups, 2 * small - 1, 2 * small - 1))
        self.rpb2 = nn.Parameter(torch.zeros(self.groups, 2 * kernel - 1, 2 * kernel - 1))
        self.dyconv_proj = nn.Sequential(nn.Conv2d(dim, dim, 1, bias=False), nn.BatchNorm2d(dim))
        self.proj_drop = nn.Dropout(proj_drop)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        if min(grid) < max(self.kernels):
            raise ValueError(f"contmix: kernel={max(self.kernels)} on a grid of {grid[0]}x{grid[1]}; take a smaller kernel")
        x_BDYX = to_grid("contmix", x_BND, grid).movedim(3, 1)
        taps_BSNK = self.taps(x_BDYX)
        mixed: list[Tensor] = []
        maps: list[Tensor] = []
        parts = (taps_BSNK[..., : self.kernels[0] ** 2], taps_BSNK[..., self.kernels[0] ** 2 :])
        tables = (self.rpb1, self.rpb2)
        for half_BND, part_BSNK, side, table_STT in zip(x_BND.chunk(2, -1), parts, self.kernels, tables, strict=True):
            keys_NK, bias_SNK = self.window(x_BND, grid, side, table_STT)
            p_BSNK = (part_BSNK + bias_SNK.to(part_BSNK.dtype)).softmax(-1)
            v_BSNC = half_BND.reshape(half_BND.shape[0], half_BND.shape[1], self.groups, -1).transpose(1, 2)
            dense = self.overlapping(side, grid)
            if dense or need == "full":
                zeros_BSNN = p_BSNK.new_zeros((*p_BSNK.shape[:3], x_BND.shape[1]))
                maps.append(zeros_BSNN.scatter(-1, keys_NK.expand_as(p_BSNK), p_BSNK))
            with autocast_off(x_BND):
                v_BSNC = v_BSNC.to(p_BSNK.dtype)
                o_BSNC = maps[-1] @ v_BSNC if dense else (p_BSNK.unsqueeze(-2) @ v_BSNC[:, :, keys_NK]).squeeze(-2)
            mixed.append(o_BSNC.transpose(1, 2).flatten(2).to(x_BND.dtype))
        y_BDYX = self.dyconv_proj(to_grid("contmix", torch.cat(mixed, -1), grid).movedim(3, 1))
        y_BND = self.proj_drop(y_BDYX.flatten(2).transpose(1, 2))
        return (y_BND, torch.cat(maps, 1)) if need == "full" else y_BND

    def overlapping(self, side: int, grid: tuple[int, int]) -> bool:
        """Windows of a small grid overlap so much that whole maps are smaller than copies of the values, and faster (14 x 14: 3x)."""
        return grid[0] * grid[1] <= side**2 * (self.dim // 2 // self.groups)

    def taps(self, x_BDYX: Tensor) -> Tensor:
        """The logits of both kernels' taps (B,S,N,K), in at least float32."""
        q_BSNE = self.split(self.weight_query(x_BDYX))
        k_BSOE = self.split(self.weight_key(adaptive_avg_pool2d(x_BDYX, OVERVIEW)))
        full = torch.promote_types(x_BDYX.dtype, torch.float32)
        with autocast_off(x_BDYX):
            affinity_BSNO = (q_BSNE.to(full) * q_BSNE.shape[-1] ** -0.5) @ k_BSOE.to(full).transpose(2, 3)
            return nn.functional.linear(affinity_BSNO, self.weight_proj.weight.to(full), self.weight_proj.bias.to(full))

    def split(self, x_BDYX: Tensor) -> Tensor:
        return x_BDYX.reshape(x_BDYX.shape[0], self.groups, x_BDYX.shape[1] // self.groups, -1).transpose(2, 3)

    def window(self, like: Tensor, grid: tuple[int, int], side: int, table_STT: Tensor) -> tuple[Tensor, Tensor]:
        """(tokens (N,K), what a tap's offset adds (S,N,K))."""
        rows_YK, down_YK = neighbours(like, grid[0], side, 1, causal=False)
        columns_XK, right_XK = neighbours(like, grid[1], side, 1, causal=False)
        down, right = down_YK[:, None, :, None] + side - 1, right_XK[None, :, None, :] + side - 1
        return cells(rows_YK, columns_XK, grid, 0), table_STT[:, down, right].flatten(3).flatten(1, 2)

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        taps = sum(side**2 for side in self.kernels)
        seen = sum(n if self.overlapping(side, grid) else side**2 for side in self.kernels)
        queries_keys = (n + OVERVIEW**2) * self.dim * (self.dim // 2)
        affinity = n * OVERVIEW**2 * (self.dim // 2 + self.groups * taps)
        return queries_keys + affinity + n * seen * (self.dim // 2) + n * self.dim**2
