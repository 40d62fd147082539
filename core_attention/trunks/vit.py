"""Vision transformer. Parameters are named as in timm, so that its weights load.

Shapes: B batch, C channels, H W picture, P patches, N tokens = prefix + P, D width.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from core_attention.blocks.init import initialise
from core_attention.blocks.macaron import Macaron
from core_attention.blocks.prenorm import PreNorm
from core_attention.registry import list_mixers
from core_attention.trunks.hybrid import HybridPatches
from core_attention.trunks.patches import Patches
from core_attention.trunks.per_block import Options, per_block
from core_attention.trunks.resnet import RESNETS
from core_attention.trunks.trunk import Pair, Trunk, check_picture, grid_of, pair

__all__ = ["Vit"]

BLOCKS: dict[str, type[PreNorm] | type[Macaron]] = {"prenorm": PreNorm, "macaron": Macaron}


class Vit(Trunk):
    """The features are all tokens after the last norm, prefix first: the class token, then `registers`. The vector is the class token.

    stem: "patch", "conv" (see Patches), or a residual network (resnet18, resnet18_half, resnet50) whose stages give the patches.
    class_token: the block before which it joins, and the registers with it. 0 is the usual place. k > 0 leaves the first k blocks to
    mixers that see nothing but a grid (gpsa); positions are then the patches' alone. None: there is no class token, and the vector is
    the mean of the patches.
    mixer, mixer_options: one for all blocks, or a list with one for each.
    init_std: of the linear weights; None: by their fan-in.
    The picture's size is fixed, as the positions are; `load` fits those of another size.

    >>> Vit(mixer=["gpsa"] * 10 + ["softmax"] * 2, class_token=10, heads=4)
    >>> Vit(mixer="differential", mixer_options=[{"depth": i} for i in range(12)])
    """

    fixed_size = True

    def __init__(
        self,
        image: Pair = 224,
        patch: Pair = 16,
        channels: int = 3,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        mlp_ratio: float = 4.0,
        stem: str = "patch",
        block: str = "prenorm",
        class_token: int | None = 0,
        registers: int = 0,
        mixer: str | Sequence[str] = "softmax",
        mixer_options: Options = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        init_std: float | None = 0.02,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ValueError(f"block is {' or '.join(map(repr, BLOCKS))}, not {block!r}")
        if class_token is not None and not 0 <= class_token < depth:
            raise ValueError(f"class_token joins before one of blocks 0 to {depth - 1}, not {class_token}; None: there is none")
        self.image = pair(image)
        self.grid = grid_of(self.image, pair(patch))
        self.dim = width
        self.init_std = init_std
        self.class_token = class_token
        self.joins = class_token or 0  # the block before which the prefix joins
        self.prefix = registers + (class_token is not None)
        self.placed = self.prefix if self.joins == 0 else 0  # rows of the prefix in pos_embed
        make = HybridPatches if stem in RESNETS else Patches
        self.patch_embed = make(width, pair(patch), channels, stem)
        self.cls_token = None if class_token is None else nn.Parameter(torch.empty(1, 1, width))
        self.reg_token = nn.Parameter(torch.empty(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.empty(1, self.placed + self.grid[0] * self.grid[1], width))
        mixers = per_block(mixer, mixer_options, depth)
        self.blocks = nn.ModuleList(
            # stochastic depth grows with depth, from 0 to drop_path
            BLOCKS[block](width, heads, mlp_ratio, name, options, mlp_drop, drop_path * i / max(1, depth - 1), layer_scale)
            for i, (name, options) in enumerate(mixers)
        )
        self.with_loss = frozenset(i for i, (name, _) in enumerate(mixers) if "aux" in list_mixers()[name].needs)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self._initialise(generator, init_std)

    def _initialise(self, generator: Generator | None, std: float | None) -> None:
        initialise(self, generator, std)
        if isinstance(self.patch_embed, Patches) and isinstance(self.patch_embed.stem, nn.Identity):
            # a linear map of patches begins as torch's and timm's does
            nn.init.kaiming_uniform_(self.patch_embed.proj.weight, a=5**0.5, generator=generator)
        for token in (self.cls_token, self.reg_token, self.pos_embed):
            if token is not None:
                nn.init.trunc_normal_(token, std=0.02, generator=generator)

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """Tokens before the first block."""
        check_picture(x_BCHW, self.image)
        x_BND = self.patch_embed(x_BCHW)
        return (self.join(x_BND) if self.joins == 0 else x_BND) + self.pos_embed

    def join(self, x_BPD: Tensor) -> Tensor:
        """The prefix in front of the patches."""
        prefix = [token.expand(x_BPD.shape[0], -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        return torch.cat([*prefix, x_BPD], 1)

    def forward(self, x_BCHW: Tensor, aux: dict[str, Tensor] | None = None) -> Tensor:
        """One vector (B, dim) a picture. aux: a dict that gets the losses that mixers want besides, by the names of their blocks."""
        return self.pool(self.forward_features(x_BCHW, aux))

    def forward_features(self, x_BCHW: Tensor, aux: dict[str, Tensor] | None = None) -> Tensor:
        x_BND = self.embed(x_BCHW)
        for i, block in enumerate(self.blocks):
            if i == self.joins and i > 0:
                x_BND = self.join(x_BND)
            if aux is not None and i in self.with_loss:
                x_BND, aux[f"blocks.{i}"] = block(x_BND, grid=self.grid, need="aux")
            else:
                x_BND = block(x_BND, grid=self.grid)
        return self.norm(x_BND)

    def pool(self, features: Tensor) -> Tensor:
        return features[:, 0] if self.class_token is not None else features[:, self.prefix :].mean(1)

    def layer_groups(self) -> list[list[str]]:
        first, stem = ["cls_token", "reg_token", "pos_embed"], [["patch_embed."]]
        if isinstance(self.patch_embed, HybridPatches):
            backbone = self.patch_embed.backbone.layer_groups()
            stem = [*([f"patch_embed.backbone.{name}" for name in group] for group in backbone), ["patch_embed.proj."]]
        return [*stem[:-1], [*first, *stem[-1]], *([f"blocks.{i}."] for i in range(len(self.blocks))), ["norm."]]
