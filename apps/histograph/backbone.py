"""A graph network that gives all its states, the embedded input first.

Shapes: N nodes, E edges, C features, F width of edge features, D width.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from apps.histograph.codes import MultiHot
from apps.histograph.convolutions import CONVOLUTIONS
from apps.histograph.options import Backbone

__all__ = ["GraphNetwork"]


class GraphNetwork(nn.Module):
    """`forward(x (N,C), edge_index (2,E), edges (E,F))` is the list of states (N,D), each as the next layer takes it: after norm and ReLU.
    Those of "smooth" are linear in the first: there is no ReLU between them.

    codes, edge_codes: features are kinds, so many in each column (atoms and bonds of molecules), each with its own vector.

    With batch norm a training step mixes the graphs of its batch, as ever; evaluation does not.
    """

    def __init__(
        self, in_channels: int, edge_channels: int, options: Backbone, codes: Sequence[int] = (), edge_codes: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.options = options
        self.kinds = MultiHot(codes) if codes else nn.Identity()
        self.edge_kinds = MultiHot(edge_codes) if edge_codes else nn.Identity()
        in_channels, edge_channels = sum(codes) or in_channels, sum(edge_codes) or edge_channels
        self.embed = nn.Linear(in_channels, options.width)
        convolution = CONVOLUTIONS[options.name]
        self.layers = nn.ModuleList(convolution(options.width, edge_channels, layer + 1) for layer in range(options.layers))
        self.norms = nn.ModuleList(_norm(options.norm, options.width) for _ in range(options.layers))
        self.input_drop, self.drop = nn.Dropout(options.input_dropout), nn.Dropout(options.dropout)

    def forward(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor) -> list[Tensor]:
        first_ND = x_ND = self.drop(self.embed(self.input_drop(self.kinds(x_NC))))
        edge_EF = self.edge_kinds(edge_EF)
        if self.options.name == "gcnii":
            first_ND = x_ND = x_ND.relu()
        states = [x_ND] if self.options.include_input else []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x_ND = norm(layer(x_ND, edge_index, edge_EF, first_ND))
            x_ND = self.drop(x_ND if self.options.name == "smooth" else x_ND.relu())
            states.append(x_ND)
        return states


def _norm(name: str, width: int) -> nn.Module:
    return {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[name](width) if name != "none" else nn.Identity()
