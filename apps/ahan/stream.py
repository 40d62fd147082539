"""The global stream: the trunk, block by block, with the keys of a partner where they are wanted (sections 2.1 and 2.4).

Shapes: B batch, C channels, H W the map, N tokens, P patches, D width, L blocks with a partner.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from apps.ahan.options import Streams
from core_attention.blocks import PreNorm
from core_attention.mixers.softmax import Softmax
from core_attention.pairwise import paired
from core_attention.trunks import ResNet, Trunk, Vit
from core_attention.trunks.trunk import check_picture

__all__ = ["GlobalStream", "Pairs", "Passed", "draw_on"]


class Pairs(NamedTuple):
    """Who sees whose keys, in which blocks, and when."""

    partner_B: Tensor  # index in the batch, -1: nobody
    layers: tuple[int, ...]  # blocks, from 0
    on_LB: Tensor  # bool, on the CPU
    detach: bool


class Passed(NamedTuple):
    token_BD: Tensor  # z_g
    map_BHWD: Tensor  # F
    mass_L: Tensor | None  # share of attention on the partner's keys, where it was seen; NaN in a block where nobody saw one


def draw_on(draw: str, p: float, layers: int, batch: int, generator: Generator | None) -> Tensor:
    """Whether the partner is seen, bool (L,B): one draw a step, a layer or a sample. p of 0 or 1 draws nothing."""
    shape = {"step": (1, 1), "layer": (layers, 1), "sample": (1, batch)}[draw]
    if p in (0, 1):
        return torch.full((layers, batch), p == 1)
    if generator is None:
        raise ValueError(f"tapwca.p={p} is drawn from a generator of its own: pass generator")
    return (torch.rand(shape, generator=generator) < p).expand(layers, batch)


class GlobalStream(nn.Module):
    """image: the side of the pictures; a residual network needs it, a transformer has its own."""

    def __init__(self, trunk: Trunk, streams: Streams, image: int | None = None, generator: Generator | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.dim = trunk.dim
        self.pool, self.tied = streams.pool, streams.pos_embed == "mirror_tied"
        self.tap_norm: nn.LayerNorm | None = None
        self.depth = 0
        if isinstance(trunk, Vit):
            if image is not None and (image, image) != trunk.image:
                raise ValueError(f"image={image}, but the trunk was built for {trunk.image[0]}x{trunk.image[1]}")
            if trunk.class_token not in (0, None):
                raise ValueError(f"ahan needs the class token from the first block on, or none, not class_token={trunk.class_token}")
            self.size, self.grid, self.depth = trunk.image, trunk.grid, len(trunk.blocks)
            self.has_token = trunk.class_token is not None
        elif isinstance(trunk, ResNet):
            if image is None:
                raise ValueError("a residual network takes pictures of any size; say with image which")
            side = image
            for _ in range(len(trunk.widths) + 1):
                side = -(-side // 2)
            self.size, self.grid, self.has_token = (image, image), (side, side), False
        else:
            raise ValueError(f"ahan needs a transformer, a hybrid or a residual network, not {type(trunk).__name__}")
        if self.pool == "cls" and not self.has_token and "global" in streams.use:
            raise ValueError("streams.pool=cls: this trunk has no class token; set streams.pool=mean")
        if not self.depth and (streams.tap != -1 or self.tied):
            raise ValueError("streams.tap and streams.pos_embed are of a transformer's blocks and positions; leave them out")
        if self.depth and not -self.depth <= streams.tap < self.depth:
            raise ValueError(f"streams.tap={streams.tap}, but the trunk has blocks 0 to {self.depth - 1}")
        self.tap = streams.tap % self.depth if self.depth else -1
        if self.depth and self.tap != self.depth - 1:
            self.tap_norm = nn.LayerNorm(trunk.dim, eps=1e-6)  # ours: the trunk's own norm is for its last block

    def check_paired(self) -> None:
        """Refuse a trunk whose blocks cannot see a partner's keys."""
        blocks = list(self.trunk.blocks) if isinstance(self.trunk, Vit) else []
        if not blocks or not all(isinstance(block, PreNorm) and isinstance(block.attn, Softmax) for block in blocks):
            raise ValueError("tapwca needs a trunk of blocks with softmax attention; set tapwca.partner=none")

    def forward(self, x_BCHW: Tensor, pairs: Pairs | None = None) -> Passed:
        check_picture(x_BCHW, self.size)
        if isinstance(self.trunk, Vit):
            return self._blocks(self.trunk, x_BCHW, pairs)
        map_BDHW = self.trunk.forward_features(x_BCHW)
        return Passed(self.trunk.pool(map_BDHW), map_BDHW.permute(0, 2, 3, 1), None)

    def _blocks(self, trunk: Vit, x_BCHW: Tensor, pairs: Pairs | None) -> Passed:
        x_BND = self._embed(trunk, x_BCHW)
        tapped_BND, mass = x_BND, []
        for i, block in enumerate(trunk.blocks):
            if pairs is not None and i in pairs.layers:
                x_BND, share = _with_partner(block, x_BND, pairs, pairs.on_LB[pairs.layers.index(i)])
                mass.append(share)
            else:
                x_BND = block(x_BND, grid=trunk.grid)
            if i == self.tap:
                tapped_BND = x_BND
        norm = trunk.norm if self.tap_norm is None else self.tap_norm
        # each part is cut out before its norm: what is cut out behind it cannot be exported as pt2 for a batch of one
        map_BPD = norm(tapped_BND[:, trunk.prefix :])
        if self.pool == "cls" and self.has_token:
            token_BD = trunk.norm(x_BND[:, 0])
        else:
            token_BD = (map_BPD if self.tap_norm is None else trunk.norm(x_BND[:, trunk.prefix :])).mean(1)
        return Passed(token_BD, map_BPD.unflatten(1, self.grid), torch.stack(mass) if mass else None)

    def _embed(self, trunk: Vit, x_BCHW: Tensor) -> Tensor:
        if not self.tied:
            return trunk.embed(x_BCHW)
        x_BND = trunk.join(trunk.patch_embed(x_BCHW)) if trunk.prefix else trunk.patch_embed(x_BCHW)
        first, place_1HWD = trunk.pos_embed[:, : trunk.placed], trunk.pos_embed[:, trunk.placed :].unflatten(1, self.grid)
        return x_BND + torch.cat([first, ((place_1HWD + place_1HWD.flip(2)) / 2).flatten(1, 2)], 1)


def _with_partner(block: nn.Module, x_BND: Tensor, pairs: Pairs, on_B: Tensor) -> tuple[Tensor, Tensor]:
    assert isinstance(block, PreNorm)
    sees_B = on_B.to(x_BND.device) & (pairs.partner_B >= 0)
    if not bool(sees_B.any()):
        y_BND = block(x_BND)
        assert isinstance(y_BND, Tensor)
        return y_BND, x_BND.new_full((), torch.nan)
    y_BND, own_BHN = paired(
        block.attn, block.norm1(x_BND), pair=pairs.partner_B.clamp(min=0), alone=~sees_B, detach_other=pairs.detach
    )  # fmt: skip
    return block.rest(x_BND, y_BND), (1 - own_BHN[sees_B].mean()).detach()
