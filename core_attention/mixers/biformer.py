"""Bi-level routing: the grid is cut into regions, and each region's queries see all cells of the few regions that fit it best.

Regions are compared by the means of their queries and keys, over all heads at once; the choice is not trained. A depthwise convolution
of the values adds positions (LePE). Padding of a grid that does not divide is hidden and no part of any mean (ours: the authors let
it take mass).

Shapes: B batch, N tokens, D width, H heads, E head width, R regions, G cells of a region, T regions chosen, W = H * R, K = T * G keys.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from core_attention.contract import Mixer, MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.grids import check_grid, steps, to_grid
from core_attention.mixers.window_heads import gather
from core_attention.mixers.windows import cells, tiles
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["BiFormer"]


@register_mixer
class BiFormer(Mixer):
    """regions: how many down and across, at most; a grid with fewer cells has fewer. topk: regions that a region sees; its own need not
    be among them. qk_dim: width of queries and keys, by default that of the tokens. lepe: side of the convolution, odd; 0: none.

    scale: of the logits, by the width of a head, or with "dim" by that of all, as in the authors' code, whose weights need it.

    >>> build_mixer("biformer", 64, 2, regions=7, topk=4)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="biformer",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "full"}),
        masks=frozenset(),
        equation="softmax(s Q K^T) V over the cells of the k regions of largest q_r . k_r, plus a depthwise convolution of V",
        read="the authors' code",
        refuses=("topk above the number of regions", "an even lepe"),
        complexity="2 N k (N / R^2) D",
        source="Zhu et al., arXiv 2303.08810",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        regions: int = 7,
        topk: int = 4,
        qk_dim: int | None = None,
        lepe: int = 3,
        scale: str = "head",
        qkv_bias: bool = True,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        qk_dim = dim if qk_dim is None else qk_dim
        if heads < 1 or dim % heads or qk_dim % heads:
            raise ValueError(f"biformer: dim={dim} and qk_dim={qk_dim} must divide by heads={heads}")
        if regions < 1 or not 1 <= topk <= regions**2:
            raise ValueError(f"biformer: topk={topk} of regions={regions} a side, which are {regions**2}")
        if lepe < 0 or (lepe and lepe % 2 == 0):
            raise ValueError(f"biformer: lepe={lepe} has no centre; take an odd number, or 0 for none")
        if scale not in ("head", "dim"):
            raise ValueError(f"biformer: scale is head or dim, not {scale!r}")
        self.dim, self.qk_dim, self.heads = dim, qk_dim, heads
        self.regions, self.topk = regions, topk
        self.scale = (qk_dim if scale == "dim" else qk_dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 2 * qk_dim + dim, bias=qkv_bias)
        self.lepe = nn.Conv2d(dim, dim, lepe, padding=lepe // 2, groups=dim) if lepe else None
        self.attn_drop = attn_drop
        self.wo = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        check_grid("biformer", x_BND, grid)
        q_BNQ, k_BNQ, v_BND = self.qkv(x_BND).split([self.qk_dim, self.qk_dim, self.dim], -1)
        tokens_RG = self.cut(x_BND, grid)
        chosen_BRT = self.choose(q_BNQ, k_BNQ, tokens_RG)
        keys_BRK = tokens_RG[chosen_BRT].flatten(2)  # token N is outside of the grid
        q_BWGE = gather(self.split(q_BNQ), tokens_RG)
        k_BWKE, v_BWKE = (gather_own(self.split(part), keys_BRK) for part in (k_BNQ, v_BND))
        seen_BW1K = (keys_BRK < x_BND.shape[1]).repeat(1, self.heads, 1).unsqueeze(2)
        if self.attn_drop and self.training:
            p_BWGK = dropout(attention_map(q_BWGE, k_BWKE, seen_BW1K, scale=self.scale), self.attn_drop)
            o_BWGE = p_BWGK.to(v_BWKE.dtype) @ v_BWKE
        else:
            o_BWGE, _ = attend(q_BWGE, k_BWKE, v_BWKE, seen_BW1K, scale=self.scale)
        o_BHNE = self.by_cell(o_BWGE, x_BND, grid)
        y_BND = o_BHNE.transpose(1, 2).flatten(2)
        if self.lepe is not None:
            y_BND = y_BND + self.lepe(to_grid("biformer", v_BND, grid).movedim(3, 1)).flatten(2).transpose(1, 2)
        y_BND = self.proj_drop(self.wo(y_BND))
        if need == "none":
            return y_BND
        p_BWGK = attention_map(q_BWGE, k_BWKE, seen_BW1K, scale=self.scale)
        empty_BWGN = p_BWGK.new_zeros((*p_BWGK.shape[:3], x_BND.shape[1] + 1))  # one more, for what is outside
        at_BWGK = keys_BRK.repeat(1, self.heads, 1).unsqueeze(2).expand_as(p_BWGK)
        return y_BND, self.by_cell(empty_BWGN.scatter(-1, at_BWGK, p_BWGK)[..., :-1], x_BND, grid)

    def split(self, x_BND: Tensor) -> Tensor:
        return x_BND.reshape(x_BND.shape[0], x_BND.shape[1], self.heads, -1).transpose(1, 2)

    def sides(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Cells of a region, down and across."""
        return -(-grid[0] // self.regions), -(-grid[1] // self.regions)

    def cut(self, like: Tensor, grid: tuple[int, int]) -> Tensor:
        """The tokens of each region (R,G), row by row; N where it reaches outside."""
        down, across = self.sides(grid)
        return cells(tiles(like, grid[0], down, 0), tiles(like, grid[1], across, 0), grid, 0)

    def choose(self, q_BNQ: Tensor, k_BNQ: Tensor, tokens_RG: Tensor) -> Tensor:
        """The regions that each region sees (B,R,T); of equals the first ones."""
        full = torch.promote_types(q_BNQ.dtype, torch.float32)
        n = q_BNQ.shape[1]
        count_R1 = (tokens_RG < n).sum(1, keepdim=True)
        with autocast_off(q_BNQ), torch.no_grad():
            q_BRQ, k_BRQ = (gather(part.to(full).unsqueeze(1), tokens_RG).sum(2) / count_R1 for part in (q_BNQ, k_BNQ))
            fit_BRR = q_BRQ @ k_BRQ.transpose(1, 2)
        return fit_BRR.sort(dim=-1, descending=True, stable=True).indices[..., : self.topk]

    def by_cell(self, a_BWGA: Tensor, like: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B,W,G,anything) as (B,H,N,anything)."""
        (down, across), width = self.sides(grid), a_BWGA.shape[-1]
        row, column = steps(like, grid[0])[:, None], steps(like, grid[1])
        region_YX = row // down * -(-grid[1] // across) + column // across
        slots_YX = region_YX * (down * across) + row % down * across + column % across
        return a_BWGA.reshape(a_BWGA.shape[0], self.heads, -1, width).index_select(2, slots_YX.flatten())

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        down, across = self.sides(grid)
        count = -(-grid[0] // down) * -(-grid[1] // across)
        seen = count * down * across * min(self.topk, count) * down * across
        positions = 0 if self.lepe is None else n * self.dim * self.lepe.kernel_size[0] ** 2
        linear = n * self.dim * (2 * self.qk_dim + 2 * self.dim)
        return linear + count**2 * self.qk_dim + seen * (self.qk_dim + self.dim) + positions


def gather_own(a_BHNE: Tensor, keys_BRK: Tensor) -> Tensor:
    """The keys of each region (B,W,K,E), other ones in each sample; zeros for the token N."""
    batch, heads, _, width = a_BHNE.shape
    a_BHNE = torch.cat([a_BHNE, a_BHNE.new_zeros((batch, heads, 1, width))], 2)
    at_BHAE = keys_BRK.flatten(1)[:, None, :, None].expand(-1, heads, -1, width)
    return a_BHNE.gather(2, at_BHAE).reshape(batch, heads * keys_BRK.shape[1], keys_BRK.shape[2], width)
