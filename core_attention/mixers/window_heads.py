"""What mixers share whose queries each see a window of the grid.

Shapes: B batch, N tokens = P + C, P prefix, C cells of the grid, D width, H heads, E head width,
R windows, G queries of a window, K keys of a window (P + its own), W = H * R windows of all heads.
"""

import torch
from torch import Tensor
from torch.nn.functional import dropout, pad

from core_attention.functional import attend, attention_map, attention_weights
from core_attention.grids import check_grid
from core_attention.mixers.heads import Heads
from core_attention.mixers.windows import Windows
from kernels.dispatch import autocast_off

__all__ = ["WindowHeads"]

LAUNCHED = 65535  # heads that torch's fused attention can take on a GPU; the windows of all heads stand as heads


class WindowHeads(Heads):
    """Softmax attention of each cell over the cells of its window.

    prefix: so many tokens stand before the grid's. They see all tokens and all tokens see them, without position logits.
    (ours: a class token then works as in a plain transformer and costs one more key a query.)

    Maps are dense, with exact zeros outside of the windows: O(N^2) memory, only when asked for.
    A mixer of this kind fills in `windows` and `position`.
    """

    hide_outside = True  # False: a cell outside of the grid is a key and a value of zeros

    def __init__(
        self,
        dim: int,
        heads: int,
        prefix: int,
        qkv_bias: bool,
        qk_norm: bool,
        causal: bool,
        context_dim: int | None,
        attn_drop: float,
        proj_drop: float,
    ) -> None:
        super().__init__(dim, heads, qkv_bias, qk_norm, causal, context_dim, attn_drop, proj_drop)
        if prefix < 0:
            raise ValueError(f"{self.spec.name}: prefix={prefix}, but it is a number of tokens: 0 or more")
        self.prefix = prefix

    def windows(self, like: Tensor, grid: tuple[int, int]) -> Windows:
        raise NotImplementedError

    def position(self, q_BWGE: Tensor, grid: tuple[int, int]) -> Tensor | None:
        """What a key's place adds to its logit, (B|1,W,G|1,K-P) in at least float32; None: nothing."""
        raise NotImplementedError

    def overlapping(self, grid: tuple[int, int]) -> bool:
        """Do the windows, of one query each, overlap so much that attending to the whole grid costs less than copies of their keys?"""
        return False

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        check_grid(self.spec.name, x_BND, grid, self.prefix)
        windows = self.windows(x_BND, grid)
        q_BHNE, k_BHNE, v_BHNE = self.project(x_BND)
        if need in ("none", "lse") and self.overlapping(grid):
            bias_BHNN = self._whole(self._bias(gather(q_BHNE, windows.queries), windows, grid), windows, grid)
            o_BHNE, lse_BHN = self._attend(q_BHNE, k_BHNE, v_BHNE, bias_BHNN, need == "lse", fused=True)
            return self.finish(o_BHNE) if lse_BHN is None else (self.finish(o_BHNE), lse_BHN)
        first_BHPE = q_BHNE[:, :, : self.prefix]
        q_BWGE, k_BWKE, v_BWKE = gather(q_BHNE, windows.queries), gather(k_BHNE, windows.keys), gather(v_BHNE, windows.keys)
        bias_BWGK = self._bias(q_BWGE, windows, grid)

        # one query a window leaves nothing to fuse: torch's fused form is the slower one there
        fused = windows.size > 1 and self.heads * windows.number <= LAUNCHED
        o_BWGE, lse_BWG = self._attend(q_BWGE, k_BWKE, v_BWKE, bias_BWGK, need == "lse", fused)
        o_BHNE = self._by_cell(o_BWGE, windows)
        lse_BHN = None if lse_BWG is None else self._by_cell(lse_BWG[..., None], windows)[..., 0]
        if self.prefix:
            o_BHPE, lse_BHP = self._attend(first_BHPE, k_BHNE, v_BHNE, None, need == "lse", fused=True)
            o_BHNE = torch.cat([o_BHPE, o_BHNE], 2)
            lse_BHN = None if lse_BHP is None or lse_BHN is None else torch.cat([lse_BHP, lse_BHN], 2)
        y_BND = self.finish(o_BHNE)

        if need == "none":
            return y_BND
        if need == "lse":
            assert lse_BHN is not None
            return y_BND, lse_BHN
        if need == "row" and self.prefix:
            return y_BND, attention_map(first_BHPE[:, :, :1], k_BHNE)[:, :, 0]
        p_BHCK = self._by_cell(attention_map(q_BWGE, k_BWKE, bias_BWGK), windows)
        if need == "row":
            return y_BND, dense(p_BHCK[:, :, :1], windows, x_BND)[:, :, 0]
        p_BHPN = attention_map(first_BHPE, k_BHNE)
        if need == "mean":
            p_BHCK, p_BHPN = p_BHCK.mean(1, keepdim=True), p_BHPN.mean(1, keepdim=True)
        map_BHNN = torch.cat([p_BHPN, dense(p_BHCK, windows, x_BND)], 2)
        return y_BND, map_BHNN if need == "full" else map_BHNN[:, 0]

    def _attend(
        self, q_BWGE: Tensor, k_BWKE: Tensor, v_BWKE: Tensor, bias_BWGK: Tensor | None, need_lse: bool, fused: bool
    ) -> tuple[Tensor, Tensor | None]:
        drop = self.attn_drop if self.training else 0.0
        if fused and not drop:
            return attend(q_BWGE, k_BWKE, v_BWKE, bias_BWGK, need_lse=need_lse)
        p_BWGK, lse_BWG = attention_weights(q_BWGE, k_BWKE, bias_BWGK)
        p_BWGK = dropout(p_BWGK, drop) if drop else p_BWGK
        with autocast_off(v_BWKE):
            return (p_BWGK @ v_BWKE.to(p_BWGK.dtype)).to(v_BWKE.dtype), lse_BWG

    def _bias(self, q_BWGE: Tensor, windows: Windows, grid: tuple[int, int]) -> Tensor | None:
        """Position logits, none for the prefix, and -inf for what is outside of the grid."""
        position_BWGK = self.position(q_BWGE, grid)
        if position_BWGK is not None and self.prefix:
            position_BWGK = pad(position_BWGK, (self.prefix, 0))
        if not self.hide_outside:
            return position_BWGK
        seen_RK = windows.keys < self.prefix + grid[0] * grid[1]
        seen_WGK = seen_RK.expand(self.heads, -1, -1).flatten(0, 1)[:, None]
        return seen_WGK[None] if position_BWGK is None else position_BWGK.masked_fill(~seen_WGK, -torch.inf)

    def _whole(self, bias_BWGK: Tensor | None, windows: Windows, grid: tuple[int, int]) -> Tensor:
        """The logits of windows of one query each over all tokens, (B,H|1,N,N): -inf outside of a window."""
        keys_1CK = windows.keys[None]
        if bias_BWGK is None:
            bias_BHCK = torch.zeros_like(keys_1CK, dtype=torch.float32)[None]
        elif bias_BWGK.dtype == torch.bool:
            bias_BHCK = self._by_cell(torch.zeros_like(bias_BWGK, dtype=torch.float32).masked_fill(~bias_BWGK, -torch.inf), windows)
        else:
            bias_BHCK = self._by_cell(bias_BWGK, windows)
        tokens = self.prefix + grid[0] * grid[1]
        hidden_BHCN = bias_BHCK.new_full((*bias_BHCK.shape[:3], tokens + 1), -torch.inf)  # one more, for what is outside
        bias_BHCN = hidden_BHCN.scatter(-1, keys_1CK.expand_as(bias_BHCK), bias_BHCK)[..., :-1]
        return pad(bias_BHCN, (0, 0, self.prefix, 0))

    def _by_cell(self, a_BWGA: Tensor, windows: Windows) -> Tensor:
        """(B,W,G,anything) as (B,H,C,anything)."""
        batch, _, _, width = a_BWGA.shape
        return a_BWGA.reshape(batch, self.heads, windows.number * windows.size, width).index_select(2, windows.slots)


def gather(a_BHNE: Tensor, tokens_RK: Tensor) -> Tensor:
    """The tokens of each window, (B,W,K,E); zeros for the token N, which is outside of the grid."""
    taken_BHAE = pad(a_BHNE, (0, 0, 0, 1)).index_select(2, tokens_RK.flatten())
    batch, heads, _, width = a_BHNE.shape
    return taken_BHAE.reshape(batch, heads * tokens_RK.shape[0], tokens_RK.shape[1], width)


def by_head(a_BWGA: Tensor, heads: int) -> Tensor:
    """(B,W,...) as (B,H,R,...)."""
    return a_BWGA.reshape(a_BWGA.shape[0], heads, -1, *a_BWGA.shape[2:])


def dense(p_BHCK: Tensor, windows: Windows, like_BND: Tensor) -> Tensor:
    """Maps over all tokens (B,H,C,N), with exact zeros outside of the windows; `like_BND` lends the number of tokens."""
    keys_CK = windows.keys.index_select(0, windows.slots // windows.size)[: p_BHCK.shape[2]]
    empty_BHCN = p_BHCK.new_zeros((*p_BHCK.shape[:3], like_BND.shape[1] + 1))  # one more, for what is outside
    return empty_BHCN.scatter(-1, keys_CK.expand_as(p_BHCK), p_BHCK)[..., :-1]
