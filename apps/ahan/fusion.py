"""The streams as one vector of length 1 (section 2.5).

Shapes: B batch, E width of the embedding.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from core_attention.blocks.init import initialise

__all__ = ["Fusion"]

TINY = 1e-6


class Fusion(nn.Module):
    """widths: of the streams there are. gated: each has a map of its own, weighed by a learned gate."""

    def __init__(
        self, widths: Sequence[int], dim: int, gated: bool = False, std: float | None = None, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(width, dim) for width in (widths if gated else [sum(widths)]))
        self.gate = nn.Parameter(torch.zeros(len(widths))) if gated else None
        self.norm = nn.BatchNorm1d(dim)
        self.norm.bias.requires_grad_(False)  # as usual before ArcFace: a shift would turn all faces one way
        initialise(self, generator, std)

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        """Unit rows (B,E)."""
        if self.gate is None:
            h_BE = self.maps[0](torch.cat(list(streams), 1))
        else:
            share = self.gate.sigmoid()
            h_BE = torch.stack([share[i] * each(streams[i]) for i, each in enumerate(self.maps)]).sum(0)
        h_BE = self.norm(h_BE)
        return h_BE / h_BE.norm(dim=1, keepdim=True).clamp(min=TINY)
