"""A graph network with a readout of all its states and a head: for graphs, for nodes, and for links.

Shapes: N nodes of all graphs, S graphs, E edges, C features, F width of edge features, L states, D width, K outputs,
P nodes or links asked.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.histograph.backbone import GraphNetwork
from apps.histograph.options import Backbone, Read
from apps.histograph.reading import Readout
from apps.histograph.readouts import build_node_readout, build_readout
from core_attention.segments import Segments

__all__ = ["GraphOutput", "Histograph", "LinkHead", "LinkModel", "NodeHead", "NodeModel", "PickedOutput", "WithHistory"]


class GraphOutput(NamedTuple):
    out: Tensor  # (S,K)
    layer_weights: Tensor  # (S,L), or (N,L) where each node has its own
    node_weights: Tensor  # (N,)


class PickedOutput(NamedTuple):
    out: Tensor  # (P,K) of nodes, (P,) of links
    layer_weights: Tensor  # (S,L), or (N,L) where each node has its own


class WithHistory(nn.Module):
    """A network and a readout of all its states."""

    def __init__(
        self,
        in_channels: int,
        edge_channels: int,
        backbone: Backbone,
        readout: Readout,
        codes: Sequence[int] = (),
        edge_codes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.backbone = GraphNetwork(in_channels, edge_channels, backbone, codes, edge_codes)
        self.readout = readout

    def history(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, kept_NLD: Tensor | None = None) -> Tensor:
        """All states as the readout takes them, (N,L,C). kept: those of an earlier call, in place of the network's."""
        if kept_NLD is not None:
            return self.readout.stack(list(kept_NLD.unbind(1)))
        return self.readout.stack(self.backbone(x_NC, edge_index, edge_EF))


class Histograph(WithHistory):
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
        super().__init__(in_channels, edge_channels, backbone, build_readout(readout, backbone.width, backbone.states), codes, edge_codes)
        width = backbone.width
        self.head = nn.Sequential(nn.Linear(self.readout.out, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs))

    def forward(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, segments: Segments, kept_NLD: Tensor | None = None) -> GraphOutput:
        reading = self.readout.read_graph(self.history(x_NC, edge_index, edge_EF, kept_NLD), segments, edge_index)
        return GraphOutput(self.head(reading.graphs), reading.layer_weights, reading.node_weights)


class NodeHead(nn.Sequential):
    """Outputs (P,K) of nodes (P,D). ours: one matrix; a hidden layer learns the few labels of a citation graph by heart."""

    def __init__(self, dim: int, outputs: int, dropout: float = 0.5) -> None:
        super().__init__(OrderedDict(drop=nn.Dropout(dropout), linear=nn.Linear(dim, outputs)))


class LinkHead(nn.Module):
    """The logit (P,) of a link from u to v. Symmetric: MLP(u * v, |u - v|); directed: MLP(u, v). ours: the paper's decoder is unknown."""

    def __init__(self, dim: int, directed: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.directed = directed
        self.mlp = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, 1))

    def forward(self, u_PD: Tensor, v_PD: Tensor) -> Tensor:
        both = (u_PD, v_PD) if self.directed else (u_PD * v_PD, (u_PD - v_PD).abs())
        return self.mlp(torch.cat(both, 1)).squeeze(1)


class NodeModel(WithHistory):
    """
    >>> model = NodeModel(1433, 0, 7, Backbone(name="gcn", layers=2, norm="none"), Read())
    >>> model(x, edge_index, edges, Segments.from_lengths([2708]), torch.arange(140)).out.shape
    torch.Size([140, 7])
    """

    def __init__(self, in_channels: int, edge_channels: int, outputs: int, backbone: Backbone, readout: Read, dropout: float = 0.5) -> None:
        super().__init__(in_channels, edge_channels, backbone, build_node_readout(readout, backbone.width, backbone.states))
        self.head = NodeHead(self.readout.out, outputs, dropout)

    def forward(
        self,
        x_NC: Tensor,
        edge_index: Tensor,
        edge_EF: Tensor,
        segments: Segments,
        picked_P: Tensor | None = None,
        kept_NLD: Tensor | None = None,
    ) -> PickedOutput:
        """picked: the nodes asked for; None is all of them."""
        z_ND, weights = self.readout.read_nodes(self.history(x_NC, edge_index, edge_EF, kept_NLD), segments)
        return PickedOutput(self.head(z_ND if picked_P is None else z_ND.index_select(0, picked_P)), weights)


class LinkModel(WithHistory):
    """The logit of each link asked for. The messages must not run along the links that are asked for."""

    def __init__(
        self, in_channels: int, edge_channels: int, backbone: Backbone, readout: Read, directed: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__(in_channels, edge_channels, backbone, build_node_readout(readout, backbone.width, backbone.states))
        self.head = LinkHead(self.readout.out, directed, dropout)

    def forward(
        self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, segments: Segments, links_2P: Tensor, kept_NLD: Tensor | None = None
    ) -> PickedOutput:
        z_ND, weights = self.readout.read_nodes(self.history(x_NC, edge_index, edge_EF, kept_NLD), segments)
        return PickedOutput(self.head(z_ND.index_select(0, links_2P[0]), z_ND.index_select(0, links_2P[1])), weights)
