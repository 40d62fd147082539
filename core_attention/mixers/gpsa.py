"""Gated positional self-attention: each head mixes a map of contents with a map of positions, by a learned gate.

Shapes: B batch, N tokens = Y * X of the grid, D width, H heads, E head width, L places along one axis of the grid.
"""

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from core_attention.contract import Mixer, MixerSpec
from core_attention.functional import attend, attention_map
from core_attention.grids import check_grid, steps
from core_attention.registry import register_mixer
from kernels.dispatch import autocast_off

__all__ = ["Gpsa"]


@register_mixer
class Gpsa(Mixer):
    """A = (1 - g) softmax(s Q K^T) + g softmax(R), g = sigmoid(gating_param), with R linear in (dx, dy, dx^2 + dy^2).

    Starts as a convolution: values are the tokens themselves, and each head looks at one cell of a k x k kernel, k^2 <= heads;
    locality_strength: how sharply. Parameters are named as in timm's convit, whose weights load. The tokens are the grid's alone:
    ConViT adds its class token after the last of these layers.

    The positional map is a Kronecker product of a map of rows and one of columns, and only these are ever computed.
    attn_drop acts on the map of contents only (ours: to drop pairs of positions would need their map).

    >>> build_mixer("gpsa", 64, 4)(x, grid=(14, 14))
    """

    spec = MixerSpec(
        name="gpsa",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "row", "mean", "full"}),
        masks=frozenset(),
        equation="A = (1 - g) softmax(s Q K^T) + g softmax(R), R linear in (dx, dy, dx^2 + dy^2)",
        read="timm's code",
        refuses=("tokens beside the grid",),
        complexity="2 N^2 D + N (H + W) D",
        source="d'Ascoli et al., arXiv 2103.10697",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        locality_strength: float = 1.0,
        qkv_bias: bool = False,
        causal: bool = False,
        context_dim: int | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads < 1 or dim % heads:
            raise ValueError(f"gpsa: dim={dim} does not divide by heads={heads}")
        self.dim = dim
        self.heads = heads
        self.qkv_bias = qkv_bias
        self.locality_strength = locality_strength
        self.qk = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.v = nn.Linear(dim, dim, bias=qkv_bias)
        self.pos_proj = nn.Linear(3, heads)
        self.gating_param = nn.Parameter(torch.ones(heads))
        self.attn_drop = attn_drop
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        if math.isqrt(heads) ** 2 != heads:
            warnings.warn(
                f"gpsa: heads={heads} is no square; the first {math.isqrt(heads) ** 2} start as a kernel, the others at random",
                stacklevel=2,
            )
        self.own_init()

    def width(self) -> int:
        return self.dim

    def own_init(self) -> None:
        """As a convolution: head p = h1 + k h2 looks h2 - c cells to the right and h1 - c down."""
        k = math.isqrt(self.heads)
        centre = (k - 1) / 2 if k % 2 == 0 else k // 2
        with torch.no_grad():
            nn.init.eye_(self.v.weight)
            if self.qkv_bias:
                nn.init.zeros_(self.v.bias)
            for head in range(k * k):
                right, down = head // k - centre, head % k - centre
                # -|delta - (right, down)|^2 up to a constant
                kernel = self.pos_proj.weight.new_tensor([2 * right, 2 * down, -1.0])
                self.pos_proj.weight[head] = self.locality_strength * kernel

    def position_maps(self, like: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(of rows (H,Y,Y), of columns (H,X,X)), in at least float32: softmax(R) is their Kronecker product, for R is a sum."""
        maps: list[Tensor] = []
        full = torch.promote_types(like.dtype, torch.float32)
        for axis, places in ((1, grid[0]), (0, grid[1])):
            place_L = steps(like, places).to(full)
            away_LL = place_L - place_L[:, None]  # key minus query
            offsets = [torch.zeros_like(away_LL), torch.zeros_like(away_LL), away_LL.square()]
            offsets[axis] = away_LL
            with autocast_off(like):  # the bias cancels in the softmax; it is there for timm's weights
                logits_LLH = linear(torch.stack(offsets, -1), self.pos_proj.weight.to(full), self.pos_proj.bias.to(full))
                maps.append(logits_LLH.movedim(-1, 0).softmax(-1))
        return maps[0], maps[1]

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        check_grid("gpsa", x_BND, grid)
        q_BHNE, k_BHNE = self.qk(x_BND).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        v_BHNE = self.v(x_BND).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        if self.attn_drop and self.training:
            p_BHNN = dropout(attention_map(q_BHNE, k_BHNE), self.attn_drop)
            content_BHNE = p_BHNN.to(v_BHNE.dtype) @ v_BHNE
        else:
            content_BHNE = attend(q_BHNE, k_BHNE, v_BHNE)[0]
        rows_HYY, columns_HXX = self.position_maps(x_BND, grid)
        with autocast_off(x_BND):
            v_BHYXE = v_BHNE.to(rows_HYY.dtype).unflatten(2, grid)
            position_BHYXE = kronecker(rows_HYY, columns_HXX, v_BHYXE)
        # both maps' rows sum to one, so that timm's division by the sum of the mixed row changes nothing
        o_BHNE = self._gated(content_BHNE.to(rows_HYY.dtype), position_BHYXE.flatten(2, 3)).to(v_BHNE.dtype)
        y_BND = self.proj_drop(self.proj(o_BHNE.transpose(1, 2).flatten(2)))
        if need == "none":
            return y_BND
        if need == "row":  # of the first cell
            q_BHNE, rows_HYY, columns_HXX = q_BHNE[:, :, :1], rows_HYY[:, :1], columns_HXX[:, :1]
        position_HNN = torch.einsum("hyv,hxu->hyxvu", rows_HYY, columns_HXX).flatten(3).flatten(1, 2)
        map_BHNN = self._gated(attention_map(q_BHNE, k_BHNE), position_HNN)
        if need == "row":
            return y_BND, map_BHNN[:, :, 0]
        return y_BND, map_BHNN if need == "full" else map_BHNN.mean(1)

    def _gated(self, content_BHNA: Tensor, position_BHNA: Tensor) -> Tensor:
        gate_H11 = self.gating_param.to(content_BHNA.dtype).sigmoid()[:, None, None]
        return (1 - gate_H11) * content_BHNA + gate_H11 * position_BHNA

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        assert grid is not None
        return 4 * n * self.dim**2 + 2 * n**2 * self.dim + n * sum(grid) * self.dim


def kronecker(rows_HYY: Tensor, columns_HXX: Tensor, v_BHYXE: Tensor) -> Tensor:
    """(rows (x) columns) v, one axis after the other: N (Y + X) E multiply-adds a head instead of N^2 E."""
    down_BHYXE = (rows_HYY @ v_BHYXE.flatten(3)).reshape(v_BHYXE.shape)
    return columns_HXX.unsqueeze(1) @ down_BHYXE
