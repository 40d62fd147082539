"""DuoFormer as a trunk: a residual network's stages give each patch of 32 pixels tokens of several scales.

Tang et al., arXiv 2407.13920 and 2506.12982, read only as an abstract and a public summary: of stages 1 to 4 a patch has 64, 16, 4 and 1
token, attended within the patch, then across patches.

Shapes: B batch, C channels, H W picture or map, P patches, S scale token and tokens of all scales, D width.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from core_attention.blocks.duo import DuoBlock
from core_attention.blocks.init import initialise
from core_attention.trunks.per_block import Options, per_block
from core_attention.trunks.resnet import RESNETS, ResNet
from core_attention.trunks.trunk import Pair, Trunk, check_picture, grid_of, pair

__all__ = ["DuoTrunk"]

PATCH = 32  # pixels; the fourth stage has one token of it


class DuoTrunk(Trunk):
    """The features are the scale tokens of all patches after the last norm; the vector is their mean (ours: no class token).

    network: resnet18, resnet18_half or resnet50. stages: which of its stages give tokens, of 1 to 4; those behind the last are left out.
    mixer, mixer_options: of the patch attention; one for all blocks, or a list with one for each.
    The picture's size is fixed, as the positions are; `load` fits those of another size.
    """

    fixed_size = True
    placed = 0  # rows of pos_embed before the patches'

    def __init__(
        self,
        image: Pair = 224,
        network: str = "resnet50",
        stages: Sequence[int] = (1, 2, 3, 4),
        channels: int = 3,
        width: int = 384,
        depth: int = 6,
        heads: int = 6,
        mlp_ratio: float = 4.0,
        mixer: str | Sequence[str] = "softmax",
        mixer_options: Options = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if network not in RESNETS:
            raise ValueError(f"network is {', '.join(RESNETS)}, not {network!r}")
        if not stages or list(stages) != sorted(set(stages)) or not set(stages) <= {1, 2, 3, 4}:
            raise ValueError(f"stages are some of 1, 2, 3, 4 in this order, not {list(stages)}")
        self.image = pair(image)
        self.grid = grid_of(self.image, (PATCH, PATCH))
        self.dim = width
        self.used = list(stages)
        self.backbone = ResNet(**RESNETS[network], channels=channels, stages=self.used[-1])
        self.proj = nn.ModuleList(nn.Conv2d(self.backbone.widths[stage - 1], width, 1) for stage in stages)
        self.scale_token = nn.Parameter(torch.empty(1, 1, 1, width))
        # ours: one learned position of each token within its patch, shared by all patches, and one of each patch, on its scale token
        self.scale_embed = nn.Parameter(torch.empty(1, 1, 1 + sum(_side(stage) ** 2 for stage in stages), width))
        self.pos_embed = nn.Parameter(torch.empty(1, self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(
            DuoBlock(width, heads, mlp_ratio, name, options, mlp_drop, drop_path * i / max(1, depth - 1))
            for i, (name, options) in enumerate(per_block(mixer, mixer_options, depth))
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        initialise(self, generator)
        for token in (self.scale_token, self.scale_embed, self.pos_embed):
            nn.init.trunc_normal_(token, std=0.02, generator=generator)

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """Tokens (B,P,S,D) before the first block: the scale token, then those of the stages in turn."""
        check_picture(x_BCHW, self.image)
        maps = self.backbone.maps(x_BCHW)
        scales = [self._by_patch(proj(maps[stage - 1]), _side(stage)) for stage, proj in zip(self.used, self.proj, strict=True)]
        token_BP1D = self.scale_token + self.pos_embed.unsqueeze(2).expand(x_BCHW.shape[0], -1, -1, -1)
        return torch.cat([token_BP1D, *scales], 2) + self.scale_embed

    def _by_patch(self, map_BDHW: Tensor, side: int) -> Tensor:
        """A map's places by the patch in which they lie, (B,P,side*side,D)."""
        x = map_BDHW.reshape(*map_BDHW.shape[:2], self.grid[0], side, self.grid[1], side).permute(0, 2, 4, 3, 5, 1)
        return x.flatten(3, 4).flatten(1, 2)

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        x_BPSD = self.embed(x_BCHW)
        for block in self.blocks:
            x_BPSD = block(x_BPSD, self.grid)
        return self.norm(x_BPSD[:, :, 0])

    def pool(self, features: Tensor) -> Tensor:
        return features.mean(1)

    def layer_groups(self) -> list[list[str]]:
        backbone = [[f"backbone.{name}" for name in group] for group in self.backbone.layer_groups()]
        tokens = ["proj.", "scale_token", "scale_embed", "pos_embed"]
        return [*backbone, tokens, *([f"blocks.{i}."] for i in range(len(self.blocks))), ["norm."]]


def _side(stage: int) -> int:
    """Tokens of this stage along a patch."""
    return PATCH // 2 ** (stage + 1)
