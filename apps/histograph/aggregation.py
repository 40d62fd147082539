"""The readout as a PyG aggregation, for whoever builds models with PyG. The only file here that needs it.

Shapes: N nodes of all graphs, B graphs, L states, C width of a state, D width.
"""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import Aggregation

from apps.histograph.errors import MissingIndexError
from apps.histograph.readout import HistoReadout

__all__ = ["HistoAggregation"]


class HistoAggregation(Aggregation):
    """A history to one vector a graph, (B,D).

    x: (N, L C) as `JumpingKnowledge("cat")` gives it, or (N,L,C) with dim=0. index (sorted or not), or ptr: which graph a node belongs to;
    with dim_size there may be empty graphs at the end. Options are those of HistoReadout.

    >>> pool = HistoAggregation(32, num_layers=6)
    >>> pool(torch.randn(10, 6 * 32), torch.tensor([0] * 7 + [1] * 3)).shape
    torch.Size([2, 32])
    """

    def __init__(
        self,
        in_channels: int,
        num_layers: int,
        out_channels: int | None = None,
        *,
        heads: int = 4,
        norm: str = "signed",
        guard: float = 0.05,
        node_attention: str = "full",
        score_pool: str = "graph",
        project: str = "shared",
        value: bool = False,
        layer_norm: bool = False,
        dropout: float = 0.0,
        pool: str = "mean",
        mix_batch: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.num_layers = in_channels, num_layers
        self.readout = HistoReadout(
            in_channels,
            num_layers,
            out_channels,
            heads=heads,
            norm=norm,
            guard=guard,
            node_attention=node_attention,
            score_pool=score_pool,
            project=project,
            value=value,
            layer_norm=layer_norm,
            dropout=dropout,
            pool=pool,
            mix_batch=mix_batch,
        )

    def __call__(self, x: Tensor, index: Tensor | None = None, ptr: Tensor | None = None, *args: Any, **kwargs: Any) -> Tensor:
        # PyG's own call would read a missing index as one group of all nodes.
        if index is None and ptr is None:
            raise MissingIndexError("HistoAggregation: give index or ptr; for a single graph an index of zeros")
        return super().__call__(x, index, ptr, *args, **kwargs)

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        if x.ndim == 3 and dim not in (0, -3):
            raise ValueError(f"HistoAggregation: of a history (N, L, C) the nodes are dimension 0, not {dim}; pass dim=0")
        if x.ndim == 2:
            if x.shape[1] != self.num_layers * self.in_channels:
                raise ValueError(f"HistoAggregation: x is (N, {self.num_layers} x {self.in_channels}), not {tuple(x.shape)}")
            x = x.unflatten(1, (self.num_layers, self.in_channels))
        if index is None:
            assert ptr is not None
            index = torch.arange(len(ptr) - 1, device=ptr.device).repeat_interleave(ptr.diff())
            dim_size = len(ptr) - 1
        graphs = dim_size if dim_size is not None else int(index.max()) + 1 if len(index) else 1
        return self.readout(x, index, graphs)
