"""Vision transformer. Parameters are named as in timm, so that its weights load.

Shapes: B batch, C channels, H W picture, P patches, N tokens = prefix + P, D width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from core_attention.blocks.init import initialise
from core_attention.blocks.prenorm import PreNorm
from core_attention.trunks.trunk import Trunk
from kernels.dispatch import is_tracing

__all__ = ["Vit"]

Pair = int | tuple[int, int]


class PictureNorm(nn.GroupNorm):
    """GroupNorm as torch computes it; nn's wrapper compares sizes first, of which a trace complains."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class Patches(nn.Module):
    """stem="patch": one linear map of each patch. stem="conv": stride-2 convolutions down to the patch, which learns from
    a thousand pictures where a linear map does not (Xiao et al., arXiv 2106.14881); patches of 4, 8 or 16 pixels only."""

    def __init__(self, dim: int, patch: tuple[int, int], channels: int, stem: str) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        if stem == "patch":
            self.proj = nn.Conv2d(channels, dim, patch, stride=patch)
        elif stem == "conv":
            if patch not in ((4, 4), (8, 8), (16, 16)):
                raise ValueError(
                    f"stem='conv' halves the picture and needs a patch of 4, 8 or 16, not {patch[0]}x{patch[1]}; use stem='patch'"
                )
            steps = patch[0].bit_length() - 1
            widths = [channels, *(dim // 2 ** (steps - 1 - i) for i in range(steps))]
            self.stem = nn.Sequential()
            for narrow, wide in pairwise(widths):
                # ours: normalised over each picture alone, not the batch, so that the batch size changes nothing
                self.stem.extend([nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), PictureNorm(1, wide), nn.GELU()])
            self.proj = nn.Conv2d(dim, dim, 1)
        else:
            raise ValueError(f"stem is 'patch' or 'conv', not {stem!r}")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.proj(self.stem(x_BCHW)).flatten(2).transpose(1, 2)


class Vit(Trunk):
    """The features are all tokens after the last norm, prefix first: the class token, then `registers`. The vector is the class token.

    `mixer`: one name, or one a block. The picture's size is fixed, as the positions are; `load` fits those of another size.
    `init_std` of the linear weights; None: by their fan-in.
    """

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
        registers: int = 0,
        mixer: str | Sequence[str] = "softmax",
        mixer_options: dict[str, Any] | None = None,
        mlp_drop: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        init_std: float | None = 0.02,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.image = _pair(image)
        patch = _pair(patch)
        if self.image[0] % patch[0] or self.image[1] % patch[1]:
            raise ValueError(f"a picture of {self.image[0]}x{self.image[1]} does not divide into patches of {patch[0]}x{patch[1]}")
        mixers = [mixer] * depth if isinstance(mixer, str) else list(mixer)
        if len(mixers) != depth:
            raise ValueError(f"mixer names {len(mixers)} blocks, but depth is {depth}")
        self.dim = width
        self.init_std = init_std
        self.prefix = 1 + registers
        self.grid = (self.image[0] // patch[0], self.image[1] // patch[1])
        self.patch_embed = Patches(width, patch, channels, stem)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.reg_token = nn.Parameter(torch.empty(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.empty(1, self.prefix + self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(
            # stochastic depth grows with depth, from 0 to drop_path
            PreNorm(width, heads, mlp_ratio, name, mixer_options, mlp_drop, drop_path * i / max(1, depth - 1), layer_scale)
            for i, name in enumerate(mixers)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self._initialise(generator, init_std)

    def _initialise(self, generator: Generator | None, std: float | None) -> None:
        initialise(self, generator, std)
        if isinstance(self.patch_embed.stem, nn.Identity):  # a linear map of patches begins as torch's and timm's does
            nn.init.kaiming_uniform_(self.patch_embed.proj.weight, a=5**0.5, generator=generator)
        for token in (self.cls_token, self.reg_token, self.pos_embed):
            if token is not None:
                nn.init.trunc_normal_(token, std=0.02, generator=generator)

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """Tokens (B,N,D) before the first block."""
        if not is_tracing() and tuple(x_BCHW.shape[2:]) != self.image:
            got = "x".join(str(int(side)) for side in x_BCHW.shape[2:])
            raise ValueError(f"this trunk takes pictures of {self.image[0]}x{self.image[1]}, not {got}")
        prefix = [self.cls_token] if self.reg_token is None else [self.cls_token, self.reg_token]
        prefix_BND = [token.expand(x_BCHW.shape[0], -1, -1) for token in prefix]
        return torch.cat([*prefix_BND, self.patch_embed(x_BCHW)], 1) + self.pos_embed

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        x_BND = self.embed(x_BCHW)
        for block in self.blocks:
            x_BND = block(x_BND, grid=self.grid)
        return self.norm(x_BND)

    def pool(self, features: Tensor) -> Tensor:
        return features[:, 0]

    def layer_groups(self) -> list[list[str]]:
        first = ["cls_token", "reg_token", "pos_embed", "patch_embed."]
        return [first, *([f"blocks.{i}."] for i in range(len(self.blocks))), ["norm."]]


def _pair(size: Pair) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
