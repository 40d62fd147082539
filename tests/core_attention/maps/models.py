"""Small models of a few mixers, and a mixer whose maps are signed."""

from typing import Any

import torch
from torch import Tensor, nn

from core_attention import Mixer, MixerSpec, build_mixer
from core_attention.blocks.prenorm import PreNorm
from core_attention.mixers.heads import Heads

__all__ = ["Signed", "Stack", "loud", "tokens"]


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loud(model: Any, seed: int = 0) -> Any:
    """In float64 and eval mode, the same each time, with weights so large that maps are far from uniform."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.double().parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.copy_(noise * parameter.shape[-1] ** -0.5 * 1.5 if parameter.ndim > 1 else (parameter == 1) + noise * 0.3)
    return model.eval()


class Stack(nn.Module):
    """Blocks one after the other; what goes in comes out."""

    def __init__(self, depth: int = 3, dim: int = 8, heads: int = 2, shared: bool = False, **options: Any) -> None:
        super().__init__()
        first = PreNorm(dim, heads, mixer_options=options)
        self.blocks = nn.ModuleList(first if shared else PreNorm(dim, heads, mixer_options=options) for _ in range(depth))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, mask=mask)
        return x


class Signed(Heads):
    """Not on the table: a difference of two maps, so that weights are negative and rows sum to 0.4."""

    spec = MixerSpec("signed", frozenset({"ns"}), frozenset({"none", "full"}), frozenset({"key"}), "2 N M D", "none", mass="free")

    def weights(self, q_BHNE: Tensor, k_BHME: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        from core_attention.functional import attention_weights

        return attention_weights(q_BHNE, k_BHME, mask)[0] - 0.6 * attention_weights(k_BHME, q_BHNE, mask)[0]


def softmax(**options: Any) -> Mixer:
    return loud(build_mixer("softmax", 8, 2, **options))
