"""Halo attention: the grid is cut into blocks, and each block's queries see the block and a rim around it.

Shapes: B batch, N tokens, D width, H heads, E head width, R blocks, W = H * R, b rows and columns of a block (y, x of a query),
w = b + 2a of a window (i, j of a key).
"""

import torch
from torch import Tensor, nn

from core_attention.contract import MixerSpec
from core_attention.grids import steps
from core_attention.mixers.window_heads import WindowHeads
from core_attention.mixers.windows import Windows, cells, tiles, with_prefix
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["Halo"]


class RelativePosition(nn.Module):
    """q . (row embedding + column embedding), by how far the key is down and to the right. Named as in timm."""

    def __init__(self, block: int, window: int, width: int) -> None:
        super().__init__()
        self.block = block
        self.window = window
        self.height_rel = nn.Parameter(torch.empty(2 * window - 1, width))
        self.width_rel = nn.Parameter(torch.empty(2 * window - 1, width))
        for table in (self.height_rel, self.width_rel):
            nn.init.trunc_normal_(table, std=width**-0.5)

    def forward(self, q_BWGE: Tensor) -> Tensor:
        """Logits (B,W,G,K) in at least float32."""
        full = torch.promote_types(q_BWGE.dtype, torch.float32)
        # counted from the window's corner, not the block's: timm's order of the tables
        away_bw = steps(q_BWGE, self.window) - steps(q_BWGE, self.block)[:, None] + self.window - 1
        with autocast_off(q_BWGE):
            q_BWyxE = q_BWGE.to(full).reshape(*q_BWGE.shape[:2], self.block, self.block, q_BWGE.shape[3])
            down_BWyxi = torch.einsum("bwyxe,yie->bwyxi", q_BWyxE, self.height_rel.to(full)[away_bw])
            right_BWyxj = torch.einsum("bwyxe,xje->bwyxj", q_BWyxE, self.width_rel.to(full)[away_bw])
        return (down_BWyxi.unsqueeze(-1) + right_BWyxj.unsqueeze(-2)).flatten(4).flatten(2, 3)


@register_mixer
class Halo(WindowHeads):
    """block: b cells a side. halo: a more on each side; halo=0 is plain blocked (window) attention.

    A grid that does not divide by b is filled up at the right and the bottom. Cells outside of the grid are hidden, or with
    mask_halo=False keys and values of zeros, as in timm: they take mass by their position, and rows of maps sum to less than one.
    rel_pos: position logits q . (row + column); scale_pos_embed: times 1 / sqrt(head width), as the others are.

    >>> build_mixer("halo", 64, 2, block=7, halo=3)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="halo",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "row", "mean", "full", "lse"}),
        masks=frozenset(),
        equation="softmax(s Q K^T + q . (row + column)) V over a block and a rim around it",
        read="timm's code",
        refuses=("a block below 1", "scale_pos_embed without rel_pos"),
        complexity="2 N (b + 2a)^2 D",
        source="Vaswani et al., arXiv 2103.12731",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        block: int = 8,
        halo: int = 3,
        rel_pos: bool = True,
        scale_pos_embed: bool = False,
        mask_halo: bool = True,
        prefix: int = 0,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, prefix, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if block < 1 or halo < 0:
            raise ValueError(f"halo: block={block} is 1 or more, halo={halo} 0 or more")
        if scale_pos_embed and not rel_pos:
            raise ValueError("halo: scale_pos_embed scales position logits; with rel_pos=False there are none")
        self.block = block
        self.halo = halo
        self.window = block + 2 * halo
        self.hide_outside = mask_halo
        self.pos_embed = RelativePosition(block, self.window, dim // heads) if rel_pos else None
        self.pos_scale = (dim // heads) ** -0.5 if scale_pos_embed else 1.0

    def windows(self, like: Tensor, grid: tuple[int, int]) -> Windows:
        b = self.block
        queries_RG = cells(tiles(like, grid[0], b, 0), tiles(like, grid[1], b, 0), grid, self.prefix)
        keys_RK = cells(tiles(like, grid[0], b, self.halo), tiles(like, grid[1], b, self.halo), grid, self.prefix)
        down, across = (-(-side // b) for side in grid)
        row, column = steps(like, grid[0])[:, None], steps(like, grid[1])
        block_YX = row // b * across + column // b
        slots_YX = block_YX * b**2 + row % b * b + column % b
        return Windows(queries_RG, with_prefix(keys_RK, self.prefix), slots_YX.flatten(), down * across, b**2)

    def position(self, q_BWGE: Tensor, grid: tuple[int, int]) -> Tensor | None:
        return None if self.pos_embed is None else self.pos_embed(q_BWGE) * self.pos_scale

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        queries = -(-grid[0] // self.block) * -(-grid[1] // self.block) * self.block**2
        seen = queries * (self.prefix + self.window**2) + self.prefix * n
        position = 0 if self.pos_embed is None else 2 * queries * self.window * self.dim
        return 4 * n * self.dim**2 + 2 * seen * self.dim + position
