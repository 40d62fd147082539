"""Subspace attention: the channels fall into groups, and each group is modulated by one map over the grid. y = x map + x.

A group's map: softmax over the grid of relu(bn(1x1(maxpool 3x3(relu(bn(depthwise 1x1 x)))))). It sums to one, so that on a large grid the
answer is nearly x: gain="hw" multiplies the map by the number of cells (ours).

Shapes: B batch, N tokens, D width, S subspaces (groups), Y X the grid.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from core_attention.contract import Mixer, MixerSpec
from core_attention.grids import to_grid
from core_attention.registry import register_mixer

__all__ = ["Ulsam"]


@register_mixer
class Ulsam(Mixer):
    """groups: subspaces. The shortcut belongs to it: a block adds its own. need="row": the subspaces' maps (B,S,N), one for all queries."""

    spec = MixerSpec(
        name="ulsam",
        patterns=frozenset({"ns"}),
        needs=frozenset({"none", "row"}),
        masks=frozenset(),
        equation="y = x map + x, map = softmax over the grid of relu(bn(W maxpool(relu(bn(w x)))))",
        read="the authors' code",
        refuses=("heads other than 1", "a width that does not divide by groups", "tokens beside the grid"),
        complexity="N D",
        source="Saini et al., arXiv 2006.15102",
        needs_grid=True,
        permutation="grid",
    )

    def __init__(
        self,
        dim: int,
        heads: int,
        groups: int = 4,
        gain: str = "none",
        causal: bool = False,
        context_dim: int | None = None,
    ) -> None:
        super().__init__(causal, context_dim)
        if heads != 1:
            raise ValueError(f"ulsam has groups of channels and no heads; build it with heads=1, not {heads}, and give groups")
        if groups < 1 or dim % groups:
            raise ValueError(f"ulsam: dim={dim} does not divide by groups={groups}")
        if gain not in ("none", "hw"):
            raise ValueError(f"ulsam: gain is none or hw, not {gain!r}")
        self.dim, self.groups, self.gain = dim, groups, gain
        self.depthwise = nn.Conv2d(dim, dim, 1, groups=dim, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(dim, momentum=0.9)  # the authors' momentum
        self.pointwise = nn.Conv2d(dim, groups, 1, groups=groups, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(groups, momentum=0.9)

    def width(self) -> int:
        return self.dim

    def mix(
        self, x_BND: Tensor, context_BMC: Tensor | None, mask: Tensor | None, grid: tuple[int, int] | None, need: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert grid is not None
        x_BDYX = to_grid("ulsam", x_BND, grid).movedim(3, 1)
        seen_BDYX = max_pool2d(relu(self.depthwise_bn(self.depthwise(x_BDYX))), 3, 1, 1)
        score_BSN = relu(self.pointwise_bn(self.pointwise(seen_BDYX))).flatten(2)
        map_BSN = score_BSN.to(torch.promote_types(score_BSN.dtype, torch.float32)).softmax(-1)
        gain = grid[0] * grid[1] if self.gain == "hw" else 1
        spread_BND = (1 + gain * map_BSN).repeat_interleave(self.dim // self.groups, 1).transpose(1, 2)
        y_BND = (x_BND * spread_BND).to(x_BND.dtype)
        return (y_BND, map_BSN) if need == "row" else y_BND

    def macs(self, n: int, m: int, grid: tuple[int, int] | None) -> int:
        return 2 * n * self.dim
