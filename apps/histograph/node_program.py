"""The exported program of a model of nodes: forward(x (N,C), edge_index (2,E), index (N,), count, edges (E,F)) as for graphs, but each
node has an answer."""

from collections.abc import Sequence
from typing import Any, Dict, Optional  # noqa: UP035 - TorchScript reads typing's

import torch
from torch import Tensor, nn

from apps.histograph.model import NodeModel
from apps.histograph.program import GraphProgram
from core_attention.segments import Segments

__all__ = ["NodeProgram"]


class _OpenNodes(nn.Module):
    """The model with offsets for segments and a dict for an answer: neither kind of tuple can be saved."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        if torch.compiler.is_exporting():  # of segments the flat forms read the offsets only
            segments = Segments(offsets, 0, 0)
        else:
            segments = Segments.from_offsets(offsets)
        answer = self.model(x_NC, edge_index, edge_EF, segments)
        return {"out": answer.out, "layer_weights": answer.layer_weights}


class NodeProgram(GraphProgram):
    """out (logits) and probs of each node; layer_weights of each graph, or of each node."""

    def __init__(self, model: NodeModel, facts: dict[str, Any], examples: Sequence[tuple[Tensor, ...]], layers_by_node: bool) -> None:
        super().__init__(_OpenNodes(model), facts, examples, layers_by_node)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        index: Tensor,
        count: int,
        edges: Optional[Tensor] = None,  # noqa: UP045
    ) -> Dict[str, Tensor]:  # noqa: UP006
        edge_features = x.new_zeros((edge_index.shape[1], self.edge_width)) if edges is None else edges
        order = torch.argsort(index, stable=True)
        place = torch.argsort(order)
        sizes = torch.zeros((count + 1,), dtype=torch.long, device=index.device)
        offsets = sizes.index_add(0, index + 1, torch.ones_like(index)).cumsum(0)
        answer = self.graph(x.index_select(0, order), place[edge_index], edge_features, offsets)
        layers = answer["layer_weights"]
        out = answer["out"].index_select(0, place)
        return {
            "out": out,
            "probs": out.softmax(-1),
            "layer_weights": layers.index_select(0, place) if self.layers_by_node else layers,
        }

    def metadata(self) -> dict[str, Any]:
        weights = {"output": "layer_weights", "as": "map" if self.layers_by_node else "vector", "full": self.layers_by_node}
        # What has a row a graph comes first: it says how many rows there are.
        answer = [weights, {"output": "probs", "as": "map"}, {"output": "out", "as": "map", "full": True}]
        along = ["out", "probs", *(["layer_weights"] if self.layers_by_node else [])]
        return {**super().metadata(), "program": "nodes", "answer": answer, "along": along}
