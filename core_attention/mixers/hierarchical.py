"""Hierarchical attention in two levels: exact within a cell's own region, one weight for each pair of regions beyond it.

The paper's abstract speaks of attention tied over the blocks of a signal's hierarchy, as near as possible to softmax. Ours, derived from
that sentence: of all maps whose weights between two different regions I, J are equal, and whose rows give one mass to their own region,
the one nearest to softmax, sum of KL(tied || softmax) over the rows, has

    m_I ~ exp(mean_i lse_i(own)),    w_IJ ~ |J| exp(mean_ij s_ij) = |J| exp(s q_I . k_J),    m_I + sum_J w_IJ = 1

with q_I, k_J the means of queries and keys. Regions of one cell, or one region, give softmax itself.

Shapes: B batch, N tokens = cells of the grid, D width, H heads, E head width, R regions, G cells of a region, W = H * R.
"""

import torch
from torch import Tensor

from core_attention.contract import MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.grids import check_grid, steps
from core_attention.mixers.heads import Heads
from core_attention.mixers.window_heads import by_head, gather
from core_attention.mixers.windows import cells, tiles
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["Hierarchical"]


@register_mixer
class Hierarchical(Heads):
    """block: cells of a region a side. A grid that does not divide by it has smaller regions at the right and the bottom.

    >>> build_mixer("hierarchical", 64, 2, block=7)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="hierarchical",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "full"}),
        masks=frozenset(),
        equation="m_I ~ exp(mean lse_i), w_IJ ~ |J| exp(s q_I . k_J): of all block-tied maps the nearest to softmax",
        read="the abstract; the form is derived here",
        refuses=("tokens beside the grid", "a block below 1"),
        complexity="2 N b^2 D + 2 (N / b^2)^2 D",
        source="Hierarchical Self-Attention (abstract); the form is ours",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        block: int = 4,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, 0.0, proj_drop)
        if block < 1:
            raise ValueError(f"hierarchical: block={block} cells a side; it is 1 or more")
        self.block = block

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        check_grid("hierarchical", x_BND, grid)
        q_BHNE, k_BHNE, v_BHNE = self.project(x_BND)
        tokens_RG = cells(tiles(x_BND, grid[0], self.block, 0), tiles(x_BND, grid[1], self.block, 0), grid, 0)
        real_RG = tokens_RG < x_BND.shape[1]
        seen_W1G = real_RG.repeat(self.heads, 1).unsqueeze(1)
        q_BWGE, k_BWGE, v_BWGE = (gather(part, tokens_RG) for part in (q_BHNE, k_BHNE, v_BHNE))
        o_BWGE, lse_BWG = attend(q_BWGE, k_BWGE, v_BWGE, seen_W1G[None], need_lse=True)
        assert lse_BWG is not None
        count_R = real_RG.sum(1).to(lse_BWG.dtype)
        own_BHR = (by_head(lse_BWG, self.heads) * real_RG).sum(-1) / count_R
        share_BHRR, means_BHRE = self.between(q_BWGE, k_BWGE, v_BWGE, own_BHR, count_R)
        with autocast_off(x_BND):
            mass_BHR = share_BHRR.diagonal(dim1=2, dim2=3)
            away_BHRR = share_BHRR - torch.diag_embed(mass_BHR)
            away_BHRE = away_BHRR @ means_BHRE
            own_BHRGE = mass_BHR[..., None, None] * by_head(o_BWGE, self.heads).to(mass_BHR.dtype)
            o_BHRGE = own_BHRGE + away_BHRE.unsqueeze(3)
        slots_N = self.slots(x_BND, grid)
        o_BHNE = o_BHRGE.flatten(2, 3).index_select(2, slots_N).to(v_BHNE.dtype)
        y_BND = self.finish(o_BHNE)
        if need == "none":
            return y_BND
        region_N = slots_N // self.block**2
        p_BWGG = attention_map(q_BWGE, k_BWGE, seen_W1G[None])
        own_BHNN = by_head(p_BWGG, self.heads)[:, :, region_N[:, None], (slots_N % self.block**2)[:, None], slots_N % self.block**2]
        same_NN = region_N[:, None] == region_N
        tied_BHNN = (share_BHRR / count_R)[:, :, region_N[:, None], region_N]
        return y_BND, torch.where(same_NN, own_BHNN * mass_BHR[:, :, region_N, None], tied_BHNN)

    def between(self, q_BWGE: Tensor, k_BWGE: Tensor, v_BWGE: Tensor, own_BHR: Tensor, count_R: Tensor) -> tuple[Tensor, Tensor]:
        """(mass that each region gives to each (B,H,R,R), its own on the diagonal; mean values (B,H,R,E)), in at least float32."""
        with autocast_off(q_BWGE):
            means = [by_head(part.to(own_BHR.dtype), self.heads).sum(3) / count_R[:, None] for part in (q_BWGE, k_BWGE, v_BWGE)]
            logits_BHRR = means[0] * q_BWGE.shape[-1] ** -0.5 @ means[1].transpose(2, 3) + count_R.log()
        self_RR = torch.eye(count_R.shape[0], dtype=torch.bool, device=count_R.device)
        return torch.where(self_RR, own_BHR.unsqueeze(-1), logits_BHRR).softmax(-1), means[2]

    def slots(self, like: Tensor, grid: tuple[int, int]) -> Tensor:
        """Where among R * G each cell is (N,)."""
        row, column = steps(like, grid[0])[:, None], steps(like, grid[1])
        region_YX = row // self.block * -(-grid[1] // self.block) + column // self.block
        return (region_YX * self.block**2 + row % self.block * self.block + column % self.block).flatten()

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        regions = -(-grid[0] // self.block) * -(-grid[1] // self.block)
        return 4 * n * self.dim**2 + 2 * regions * self.block**4 * self.dim + 2 * regions**2 * self.dim
