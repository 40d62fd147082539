"""Several graphs as one graph of many parts, whose nodes stand together and whose edges are counted on.

Shapes: N nodes, E edges, C features, F width of edge features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.ragged import Ragged, flatten

__all__ = ["Joined", "join"]


class Joined(NamedTuple):
    nodes: Ragged  # of rows (N,C)
    edge_index: Tensor  # (2,E)
    edges: Tensor  # (E,F)
    starts: list[int]  # the first node of each part


def join(parts: Sequence[Sequence[Tensor]]) -> Joined:
    """parts: x (N,C), edge_index (2,E) and maybe edge features (E,F) of each; what stands behind them is left out.

    >>> join([(torch.ones(2, 1), torch.tensor([[0], [1]])), (torch.ones(2, 1), torch.tensor([[0], [1]]))]).edge_index
    tensor([[0, 2],
            [1, 3]])
    """
    nodes = flatten([part[0] for part in parts])
    starts = nodes.offsets[:-1].tolist()
    edge_index = torch.cat([part[1] + start for part, start in zip(parts, starts, strict=True)], 1)
    edges = torch.cat([part[2] if len(part) > 2 else part[0].new_zeros(part[1].shape[1], 0) for part in parts])
    return Joined(nodes, edge_index, edges, starts)
