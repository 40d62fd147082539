"""HiLo attention: some heads look closely at a small window, the others look at everything, blurred.

Hi: softmax attention within windows of ws x ws cells. Lo: queries at every cell; keys and values from the ws x ws averages.
y = concat(h_proj(hi), l_proj(lo)).

Shapes: B batch, N tokens, D width, Y X the grid, V U the grid of windows, W = V U windows, I J = ws cells down and across a window,
C = I J cells of a window, H heads, P = W H pairs of window and head, E head width.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, pad

from core_attention.contract import Mixer, MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.grids import to_grid
from core_attention.registry import register_mixer

__all__ = ["HiLo"]


@register_mixer
class HiLo(Mixer):
    """alpha: the share of Lo heads, rounded down; ws=1: all are Lo, which is plain attention. Parameters are named as in LITv2.

    A grid that does not divide into windows is padded (ours): Hi does not see the padding, Lo averages real cells only.
    need="full" gives the dense map, Hi heads first, with exact zeros outside their windows; Lo heads spread the weight of an
    average over its cells. So y = concat(h_proj(map V), l_proj(map V)) with the values of every cell.
    """

    spec = MixerSpec(
        name="hilo",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "full"}),
        masks=frozenset(),
        equation="concat(window attention, attention over window means), each with a projection of its own",
        read="the authors' code",
        refuses=("ws below 1", "alpha outside [0, 1]", "tokens beside the grid"),
        complexity="2 N ws^2 D_hi + 2 N (N / ws^2) D_lo",
        source="LITv2, arXiv 2205.13213",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        ws: int = 2,
        alpha: float = 0.5,
        qkv_bias: bool = True,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads < 1 or dim % heads:
            raise ValueError(f"hilo: dim={dim} does not divide by heads={heads}")
        if ws < 1:
            raise ValueError(f"hilo: ws is the side of a window, at least 1, not {ws}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"hilo: alpha is the share of Lo heads, in [0, 1], not {alpha}")
        self.dim = dim
        self.ws = ws
        self.l_heads = heads if ws == 1 else int(heads * alpha)
        self.h_heads = heads - self.l_heads
        self.l_dim = dim // heads * self.l_heads
        self.h_dim = dim - self.l_dim
        if self.l_heads:
            self.l_q = nn.Linear(dim, self.l_dim, bias=qkv_bias)
            self.l_kv = nn.Linear(dim, 2 * self.l_dim, bias=qkv_bias)
            self.l_proj = nn.Linear(self.l_dim, self.l_dim)
        if self.h_heads:
            self.h_qkv = nn.Linear(dim, 3 * self.h_dim, bias=qkv_bias)
            self.h_proj = nn.Linear(self.h_dim, self.h_dim)
        self.attn_drop = attn_drop
        self.proj_drop = nn.Dropout(proj_drop)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        answers: list[Tensor] = []
        maps: list[Tensor] = []
        if self.h_heads:
            q_BPCE, k_BPCE, v_BPCE = self.project_hi(x_BND, grid)
            seen_1P1C = self.real_cells(x_BND, grid)
            o_BPCE = self.answer(q_BPCE, k_BPCE, v_BPCE, seen_1P1C)
            answers.append(self.h_proj(self.join_windows(o_BPCE, grid)))
            if need == "full":
                maps.append(self.dense_hi(attention_map(q_BPCE, k_BPCE, seen_1P1C), grid))
        if self.l_heads:
            q_BHNE, k_BHWE, v_BHWE = self.project_lo(x_BND, grid)
            o_BHNE = self.answer(q_BHNE, k_BHWE, v_BHWE, None)
            answers.append(self.l_proj(o_BHNE.transpose(1, 2).flatten(2)))
            if need == "full":
                maps.append(self.dense_lo(attention_map(q_BHNE, k_BHWE), grid))
        y_BND = self.proj_drop(torch.cat(answers, -1))
        return (y_BND, torch.cat(maps, 1)) if need == "full" else y_BND

    def answer(self, q_BHNE: Tensor, k_BHME: Tensor, v_BHME: Tensor, mask: Tensor | None) -> Tensor:
        if self.attn_drop and self.training:
            return dropout(attention_map(q_BHNE, k_BHME, mask), self.attn_drop).to(v_BHME.dtype) @ v_BHME
        return attend(q_BHNE, k_BHME, v_BHME, mask)[0]

    # --- Hi ------------------------------------------------------------------------------------------------------

    def project_hi(self, x_BND: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        qkv_BVIUJF = self.cut_windows(self.h_qkv(x_BND), grid)
        qkv_BVIUJ3HE = qkv_BVIUJF.reshape(*qkv_BVIUJF.shape[:5], 3, self.h_heads, self.h_dim // self.h_heads)
        q_BPCE, k_BPCE, v_BPCE = qkv_BVIUJ3HE.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6).flatten(2, 4).unbind(0)
        return q_BPCE, k_BPCE, v_BPCE

    def cut_windows(self, x_BNF: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B,V,I,U,J,F), with zeros beyond the border."""
        down, across = self.windows(grid)
        border = (0, 0, 0, across * self.ws - grid[1], 0, down * self.ws - grid[0])
        return pad(to_grid("hilo", x_BNF, grid), border).reshape(x_BNF.shape[0], down, self.ws, across, self.ws, x_BNF.shape[-1])

    def join_windows(self, o_BPCE: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B,N,F), the heads side by side and the padding cut off."""
        down, across = self.windows(grid)
        o_BVUHIJE = o_BPCE.reshape(o_BPCE.shape[0], down, across, self.h_heads, self.ws, self.ws, o_BPCE.shape[-1])
        o_BYXF = o_BVUHIJE.permute(0, 1, 4, 2, 5, 3, 6).flatten(5).flatten(3, 4).flatten(1, 2)
        return o_BYXF[:, : grid[0], : grid[1]].flatten(1, 2)

    def real_cells(self, x_BND: Tensor, grid: tuple[int, int]) -> Tensor | None:
        """Which cells of a window are no padding; None: all."""
        if not any(side % self.ws for side in grid):
            return None
        real_1VIUJ1 = self.cut_windows(x_BND.new_ones((1, grid[0] * grid[1], 1)), grid) > 0
        real_1VU1C = real_1VIUJ1.permute(0, 1, 3, 5, 2, 4).flatten(4)
        return real_1VU1C.expand(-1, -1, -1, self.h_heads, -1).flatten(1, 3).unsqueeze(2)

    def dense_hi(self, p_BPCC: Tensor, grid: tuple[int, int]) -> Tensor:
        """The map (B,H,N,N)."""
        window_N, place_N = self.places(p_BPCC, grid)
        cells = self.ws**2
        p_BHWCC = p_BPCC.reshape(p_BPCC.shape[0], p_BPCC.shape[1] // self.h_heads, self.h_heads, cells, cells).transpose(1, 2)
        return p_BHWCC[:, :, window_N[:, None], place_N[:, None], place_N] * (window_N[:, None] == window_N)

    # --- Lo ------------------------------------------------------------------------------------------------------

    def project_lo(self, x_BND: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        x_BDYX = to_grid("hilo", x_BND, grid).movedim(3, 1)
        # ceil_mode: a window over the border is the mean of the cells that are there
        mean_BDVU = avg_pool2d(x_BDYX.to(torch.promote_types(x_BND.dtype, torch.float32)), self.ws, ceil_mode=True)
        kv_BWF = self.l_kv(mean_BDVU.flatten(2).transpose(1, 2).to(x_BND.dtype))
        k_BHWE, v_BHWE = kv_BWF.unflatten(-1, (2, self.l_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.l_q(x_BND).unflatten(-1, (self.l_heads, -1)).transpose(1, 2), k_BHWE, v_BHWE

    def dense_lo(self, p_BHNW: Tensor, grid: tuple[int, int]) -> Tensor:
        """The map (B,H,N,N)."""
        window_N, _ = self.places(p_BHNW, grid)
        cells_W = p_BHNW.new_zeros(p_BHNW.shape[-1:]).index_add(0, window_N, p_BHNW.new_ones(window_N.shape))
        return (p_BHNW / cells_W)[..., window_N]

    # -------------------------------------------------------------------------------------------------------------

    def windows(self, grid: tuple[int, int]) -> tuple[int, int]:
        """How many there are, down and across."""
        return -(-grid[0] // self.ws), -(-grid[1] // self.ws)

    def places(self, like: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(window, place in it) of each cell; `like` lends its device."""
        cell_N = like.new_ones((grid[0] * grid[1],), dtype=torch.int64).cumsum(0) - 1
        down_N, across_N = cell_N // grid[1], cell_N % grid[1]
        window_N = down_N // self.ws * self.windows(grid)[1] + across_N // self.ws
        return window_N, down_N % self.ws * self.ws + across_N % self.ws

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        sides = [[min(self.ws, side - start) for start in range(0, side, self.ws)] for side in grid]
        windows = len(sides[0]) * len(sides[1])
        pairs = sum(side**2 for side in sides[0]) * sum(side**2 for side in sides[1])  # of cells of one window
        hi = 3 * n * self.dim + n * self.h_dim + 2 * pairs
        lo = n * self.dim + 2 * windows * self.dim + n * self.l_dim + 2 * n * windows
        return hi * self.h_dim + lo * self.l_dim
