"""A graph network with a readout of all its states and a head.

Shapes: N nodes of all graphs, S graphs, E edges, C features, F width of edge features, L states, D width, K outputs.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from apps.histograph.backbone import GraphNetwork
from apps.histograph.options import Backbone, Read
from apps.histograph.readouts import build_readout
from core_attention.segments import Segments

__all__ = ["GraphOutput", "Histograph"]


class GraphOutput(NamedTuple):
    out: Tensor  # (S,K)
    layer_weights: Tensor  # (S,L), or (N,L) where each node has its own
    node_weights: Tensor  # (N,)


class Histograph(nn.Module):
    """
    >>> model = Histograph(2, 0, 6, Backbone(), Read())
    >>> model(x, edge_index, edges, Segments.from_lengths([24, 24])).out.shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        in_channels: int,
        edge_channels: int,
        outputs: int,
        backbone: Backbone,
        readout: Read,
        dropout: float = 0.5,
        codes: Sequence[int] = (),
        edge_codes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.backbone = GraphNetwork(in_channels, edge_channels, backbone, codes, edge_codes)
        self.readout = build_readout(readout, backbone.width, self.backbone.states)
        width = backbone.width
        self.head = nn.Sequential(nn.Linear(self.readout.out, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs))

    def forward(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, segments: Segments) -> GraphOutput:
        reading = self.readout.read(self.history(x_NC, edge_index, edge_EF), segments)
        return GraphOutput(self.head(reading.graphs), reading.layer_weights, reading.node_weights)

    def history(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor) -> Tensor:
        """All states as the readout takes them, (N,L,C)."""
        return self.readout.stack(self.backbone(x_NC, edge_index, edge_EF))
