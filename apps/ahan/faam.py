"""FAAM: the left half of the face and the mirrored right half ask each other; what differs is the asymmetry (section 2.3).

Shapes: B batch, H W the map, h columns of a half, D width, N places of a half = H h.
"""

import torch
from torch import Generator, Tensor, nn

from apps.ahan.options import Faam
from core_attention import build_mixer
from core_attention.blocks.init import initialise
from core_attention.grids import steps

__all__ = ["FacialAsymmetryAttention"]


class FacialAsymmetryAttention(nn.Module):
    """grid: H and W of the map; where W is odd the middle column is in both halves (ours).

    A face whose halves are alike gives exactly 0: the attention is one and the same for both, and nothing behind has a bias.
    """

    def __init__(
        self, dim: int, heads: int, grid: tuple[int, int], options: Faam, std: float | None = None, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.options = options
        self.grid = grid
        self.columns = -(-grid[1] // 2)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.attn = build_mixer("softmax", dim, heads, context_dim=dim)
        self.place = nn.Parameter(torch.empty(grid[0] * self.columns, dim)) if options.position == "shared" else None
        self.sign = None if options.mode == "abs" else nn.Parameter(torch.ones(grid[0] * self.columns, 1))  # P
        wide = {"abs": 0, "signed": dim, "both": 2 * dim}[options.mode]
        self.out = nn.Linear(wide, dim, bias=False) if wide else None  # U or V
        initialise(self, generator, std)
        if self.place is not None:
            nn.init.trunc_normal_(self.place, std=0.02, generator=generator)

    def forward(self, map_BHWD: Tensor) -> tuple[Tensor, Tensor]:
        """(z_f (B,D), how much the halves differ in each place (B,H,h))."""
        left_BND, right_BND = self.halves(map_BHWD)
        d_BND = self.difference(left_BND, right_BND)
        return self.read(d_BND), d_BND.abs().mean(-1).unflatten(1, (self.grid[0], self.columns))

    def halves(self, map_BHWD: Tensor) -> tuple[Tensor, Tensor]:
        left_BHhD, right_BHhD = map_BHWD[:, :, : self.columns], map_BHWD[:, :, self.grid[1] - self.columns :]
        if self.options.align == "mirror":
            right_BHhD = right_BHhD.flip(2)
        return left_BHhD.flatten(1, 2), right_BHhD.flatten(1, 2)

    def difference(self, left_BND: Tensor, right_BND: Tensor) -> Tensor:
        """D (B,N,D)."""
        placed_left, placed_right = (x if self.place is None else x + self.place for x in (left_BND, right_BND))
        l_BND, r_BND = self.norm(placed_left), self.norm(placed_right)
        mask = None if self.options.window is None else self._near(l_BND)
        asked_BND = self.attn(l_BND, r_BND, mask=mask)
        if self.options.direction == "l2r":
            return asked_BND - left_BND
        # two calls of one shape: equal halves give equal bits
        return asked_BND - self.attn(r_BND, l_BND, mask=mask)

    def read(self, d_BND: Tensor) -> Tensor:
        size_BD = d_BND.abs().mean(1)
        if self.sign is None or self.out is None:
            return size_BD
        signed_BD = (self.sign * d_BND).mean(1)
        return self.out(signed_BD if self.options.mode == "signed" else torch.cat([size_BD, signed_BD], 1))

    def _near(self, x_BND: Tensor) -> Tensor:
        """Bool (B,N,N): within the window of the counterpart, which has the same number."""
        assert self.options.window is not None
        places_N = steps(x_BND, self.grid[0] * self.columns)
        row_N, column_N = places_N // self.columns, places_N % self.columns
        far_NN = torch.maximum((row_N[:, None] - row_N).abs(), (column_N[:, None] - column_N).abs())
        return (far_NN <= self.options.window).expand(x_BND.shape[0], -1, -1)
