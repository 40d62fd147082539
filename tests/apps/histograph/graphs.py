"""Random histories and graphs."""

import torch
from torch import Tensor

from core_attention.segments import Segments

__all__ = ["graphs", "history", "index_of"]


def history(lengths: list[int], layers: int = 4, width: int = 8, seed: int = 0) -> tuple[Tensor, Segments]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(lengths), layers, width, generator=generator, dtype=torch.float64), Segments.from_lengths(lengths)


def index_of(segments: Segments) -> Tensor:
    return torch.arange(segments.count).repeat_interleave(segments.offsets.diff())


def graphs(sizes: list[int], features: int = 3, edge_features: int = 0, seed: int = 0) -> list[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(seed)
    items = []
    for size in sizes:
        edge_index = torch.randint(0, size, (2, 2 * size), generator=generator) if size else torch.zeros(2, 0, dtype=torch.int64)
        edges = torch.rand(edge_index.shape[1], edge_features, generator=generator)
        items.append((torch.rand(size, features, generator=generator), edge_index, edges))
    return items
