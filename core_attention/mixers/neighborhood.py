"""Neighbourhood attention: each query sees the k x k keys around it, always k^2 of them, also at a border.

Shapes: B batch, N tokens, D width, H heads, E head width, I rows and J columns of a window, W = H * windows, G = 1 query of a window.
"""

import torch
from torch import Tensor, nn

from core_attention.contract import MixerSpec
from core_attention.grids import steps
from core_attention.mixers.window_heads import WindowHeads
from core_attention.mixers.windows import Windows, cells, neighbours, with_prefix
from core_attention.registry import register_mixer

__all__ = ["Neighborhood"]


@register_mixer
class Neighborhood(WindowHeads):
    """kernel: k, odd. dilation: r takes every r-th cell only, within the query's own residue class; the grid has k * r cells
    a side or more. rel_bias: a learned logit per head and offset.

    causal: a sequence is a grid of height 1, (1, N); a query sees the last `kernel` tokens of its class up to itself, fewer
    at the beginning. (ours: one row and a prefix would leak through the prefix, so it takes none.)

    Keys and values are gathered, k^2 of each a query: that saves multiply-adds, not time, until the grid is several times
    larger than the window. (ours: up to there each query attends to the whole grid, with -inf outside of its window.)

    >>> build_mixer("neighborhood", 64, 2, kernel=7)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="neighborhood",
        patterns=frozenset({"ns", "cs"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset(),
        equation="softmax(s Q K^T + b) V over the k x k cells around, shifted inward at borders",
        read="the abstracts and NATTEN's interface",
        refuses=("an even kernel", "a grid below kernel times dilation", "causal with a prefix"),
        complexity="2 N k^2 D",
        source="Hassani et al., arXiv 2204.07143 and 2209.15001",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        kernel: int = 7,
        dilation: int = 1,
        rel_bias: bool = True,
        prefix: int = 0,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, prefix, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"neighborhood: kernel={kernel} has no centre; take an odd number")
        if dilation < 1:
            raise ValueError(f"neighborhood: dilation={dilation}; it is 1 or more")
        if causal and prefix:
            raise ValueError(f"neighborhood: causal takes no prefix (prefix={prefix}), which would see the future")
        self.kernel = kernel
        self.dilation = dilation
        self.hide_outside = causal  # else no window reaches outside
        table = (1, kernel) if causal else (2 * kernel - 1, 2 * kernel - 1)
        self.rel_bias = nn.Parameter(torch.empty(heads, *table)) if rel_bias else None
        if self.rel_bias is not None:
            nn.init.trunc_normal_(self.rel_bias, std=0.02)

    def overlapping(self, grid: tuple[int, int]) -> bool:
        keys = self.kernel if self.causal else self.kernel**2
        return grid[0] * grid[1] <= keys * (self.dim // self.heads)

    def windows(self, like: Tensor, grid: tuple[int, int]) -> Windows:
        (rows_LI, _), (columns_LJ, _) = self._axes(like, grid)
        cell_C = steps(like, grid[0] * grid[1])
        keys_RK = with_prefix(cells(rows_LI, columns_LJ, grid, self.prefix), self.prefix)
        return Windows(self.prefix + cell_C[:, None], keys_RK, cell_C, grid[0] * grid[1], 1)

    def position(self, q_BWGE: Tensor, grid: tuple[int, int]) -> Tensor | None:
        if self.rel_bias is None:
            return None
        (_, down_LI), (_, right_LJ) = self._axes(q_BWGE, grid)
        down, right = down_LI[:, None, :, None], right_LJ[None, :, None, :]
        full = torch.promote_types(q_BWGE.dtype, torch.float32)
        # the query itself is the table's middle, or with causal its end
        middle = 0 if self.causal else self.kernel - 1
        bias_HLLIJ = self.rel_bias.to(full)[:, down + middle, right + self.kernel - 1]
        return bias_HLLIJ.flatten(3).flatten(0, 2)[None, :, None]

    def _axes(self, like: Tensor, grid: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
        if self.causal:
            if grid[0] != 1:
                raise ValueError(f"neighborhood: causal takes a sequence, grid=(1, N), not {grid[0]}x{grid[1]}")
            kernels = (1, self.kernel)
        elif min(grid) < self.kernel * self.dilation:
            need = f"kernel={self.kernel} with dilation={self.dilation} needs {self.kernel * self.dilation} cells a side"
            raise ValueError(f"neighborhood: {need}, the grid is {grid[0]}x{grid[1]}; take a smaller kernel or dilation")
        else:
            kernels = (self.kernel, self.kernel)
        dilations = (1, self.dilation) if self.causal else (self.dilation, self.dilation)
        return [
            neighbours(like, places, kernel, dilation, self.causal)
            for places, kernel, dilation in zip(grid, kernels, dilations, strict=True)
        ]

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        keys = n if self.overlapping(grid) else self.prefix + (self.kernel if self.causal else self.kernel**2)
        seen = (n - self.prefix) * keys + self.prefix * n
        return 4 * n * self.dim**2 + 2 * seen * self.dim
