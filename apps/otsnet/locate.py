"""Where each character is: slots that look at the picture, the position-aware module (2.3).

Shapes: B batch, L slots, N tokens, R S rows and columns of tokens, D width, P points read beside a slot's place.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from apps.otsnet.observe import waves
from apps.otsnet.options import Locate, Observe
from core_attention.blocks import Mlp
from core_attention.registry import build_mixer

__all__ = ["Locator", "Points", "apart", "centres"]

POINTS = 4
REACH = 2.0  # tokens that a point may lie off


def apart(v_BND: Tensor, place_1ND: Tensor) -> Tensor:
    """Context of a mixer with keys_apart: positions in the keys, not in the values, (B,N,2D)."""
    return torch.cat([v_BND + place_1ND, v_BND], 2)


def centres(like_BN: Tensor, cells: tuple[int, int]) -> Tensor:
    """x and y of each token's middle in 0..1 of the picture, (N,2)."""
    # new_ones and not arange(device=...): a trace would bake the device in
    index_N = like_BN.new_ones((cells[0] * cells[1],)).cumsum(0) - 1
    row_N = torch.div(index_N, cells[1], rounding_mode="floor")
    return torch.stack([(index_N - row_N * cells[1] + 0.5) / cells[1], (row_N + 0.5) / cells[0]], 1)


class Locator(nn.Module):
    """G: what stands in each slot, and A: where it was seen. Rows of A are shares of one."""

    def __init__(self, observe: Observe, options: Locate, slots: int) -> None:
        super().__init__()
        dim = observe.d
        self.slots = nn.Parameter((waves(slots, dim) * 0.02 * dim**0.5)[None])
        count = options.layers or observe.row.locate_layers
        self.layers = nn.ModuleList(Layer(observe, options, i) for i in range(count))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, v_BND: Tensor, place_1ND: Tensor, cells: tuple[int, int], seen_BN: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(G (B,L,D), A (B,L,N)). seen: tokens that are of the picture; None: all."""
        q_BLD = self.slots.expand(v_BND.shape[0], -1, -1)
        a_BLN = q_BLD[..., :0]
        for layer in self.layers:
            q_BLD, a_BLN = layer(q_BLD, v_BND, place_1ND, cells, seen_BN)
        return self.norm(q_BLD), a_BLN


class Layer(nn.Module):
    """Slots see one another (counting, order), then the picture, then think."""

    def __init__(self, observe: Observe, options: Locate, index: int) -> None:
        super().__init__()
        dim, heads, drop = observe.d, 2 * observe.h, observe.dropped(options.dropout)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.among = build_mixer("softmax", dim, heads, proj_drop=drop)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.norm_picture = nn.LayerNorm(dim, eps=1e-6)
        cross = {"context_dim": dim, "keys_apart": True, "proj_drop": drop}
        if options.attention == "differential":
            self.look = build_mixer("differential", dim, observe.h, depth=index, **cross)
        else:
            self.look = build_mixer("softmax", dim, heads, **cross)
        self.points = Points(dim) if options.sampling == "deform" else None
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, 4 * dim, drop)

    def forward(
        self, q_BLD: Tensor, v_BND: Tensor, place_1ND: Tensor, cells: tuple[int, int], seen_BN: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        q_BLD = q_BLD + self.among(self.norm1(q_BLD))
        v_BND = self.norm_picture(v_BND)
        asking_BLD = self.norm2(q_BLD)
        u_BLD, a_BLN = self.look(asking_BLD, apart(v_BND, place_1ND), mask=seen_BN, need="mean")
        a_BLN = shares(a_BLN)
        if self.points is not None:
            v_BND = v_BND if seen_BN is None else v_BND * seen_BN.unsqueeze(2)  # a point beside the picture reads nothing
            u_BLD = u_BLD + self.points(asking_BLD, v_BND, a_BLN, cells)
        q_BLD = q_BLD + u_BLD
        return q_BLD + self.mlp(self.norm3(q_BLD)), a_BLN


def shares(a_BLN: Tensor) -> Tensor:
    """Rows that are shares of one: of a signed map what is left above zero."""
    a_BLN = a_BLN.clamp(min=0.0)
    return a_BLN / a_BLN.sum(-1, keepdim=True).clamp(min=1e-12)


class Points(nn.Module):
    """Adaptive sampling as reading (ii): points near the slot's mean position, read between the tokens and mixed."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.offset = nn.Linear(dim, 2 * POINTS)
        self.weight = nn.Linear(dim, POINTS)

    def forward(self, q_BLD: Tensor, v_BND: Tensor, a_BLN: Tensor, cells: tuple[int, int]) -> Tensor:
        rows, columns = cells
        mean_BL2 = a_BLN @ centres(a_BLN[:, 0], cells).to(a_BLN.dtype)
        reach_2 = torch.stack([mean_BL2.new_full((), REACH / columns), mean_BL2.new_full((), REACH / rows)])
        off_BLP2 = self.offset(q_BLD).tanh().unflatten(-1, (POINTS, 2)) * reach_2
        at_BLP2 = 2 * (mean_BL2.unsqueeze(2) + off_BLP2) - 1
        map_BDRS = v_BND.transpose(1, 2).unflatten(2, (rows, columns))
        read_BDLP = grid_sample(map_BDRS, at_BLP2.to(map_BDRS.dtype), mode="bilinear", padding_mode="border", align_corners=False)
        return (read_BDLP * self.weight(q_BLD).softmax(-1).unsqueeze(1)).sum(3).transpose(1, 2)
