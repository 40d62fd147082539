"""A pre-norm block whose linear maps are stacks of adapters: x += Attn(LN x); x += W2 GELU(W1 LN x) (ACCORD brief 2.4.2).

It mixes nothing by itself: tokens see each other, steps see the prefix and their past, by the same weights (one stack, two roles).
Shapes: B instances, N tokens or steps, D width, H heads, E head width.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor, nn

from core_attention.lora import Groups, LoRAStack

__all__ = ["Block", "norm_of"]


class Block(nn.Module):
    def __init__(
        self, dim: int, heads: int, ffn: int, norm: str, experts: int, rank: int, alpha: float, rslora: bool, targets: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = norm_of(norm, dim), norm_of(norm, dim)

        def stack(target: str, width: int, out: int) -> LoRAStack:
            return LoRAStack(nn.Linear(width, out), experts, rank if target in targets else 0, alpha, rslora)

        self.q, self.k, self.v, self.o = (stack(target, dim, dim) for target in ("q", "k", "v", "o"))
        self.fc1, self.fc2 = stack("fc1", dim, ffn), stack("fc2", ffn, dim)

    def queries(self, h_BND: Tensor, route: Tensor | None, groups: Groups | None) -> Tensor:
        """(B,H,N,E), of normed tokens."""
        return self.split(self.q(h_BND, route, groups))

    def keys(self, h_BND: Tensor, route: Tensor | None, groups: Groups | None) -> Tensor:
        return self.split(self.k(h_BND, route, groups))

    def values(self, h_BND: Tensor, route: Tensor | None, groups: Groups | None) -> Tensor:
        return self.split(self.v(h_BND, route, groups))

    def split(self, x_BND: Tensor) -> Tensor:
        return x_BND.view(x_BND.shape[0], x_BND.shape[1], self.heads, -1).transpose(1, 2)

    def rest(self, x_BND: Tensor, mixed_BHNE: Tensor, route: Tensor | None, groups: Groups | None) -> Tensor:
        """What follows on the attention."""
        x_BND = x_BND + self.o(mixed_BHNE.transpose(1, 2).flatten(2), route, groups)
        h_BNF = nn.functional.gelu(self.fc1(self.norm2(x_BND), route, groups))
        return x_BND + self.fc2(h_BNF, route, groups)


def norm_of(norm: str, dim: int) -> nn.Module:
    return nn.LayerNorm(dim) if norm == "layer" else nn.RMSNorm(dim, eps=1e-6)


if TYPE_CHECKING:

    class Blocks(nn.ModuleList):
        """What a list of blocks holds: torch says Module."""

        def __iter__(self) -> Iterator[Block]: ...
