"""The exported program of a model of nodes: forward(x (N,C), edge_index (2,E), index (N,), count, edges (E,F)) as for graphs, but each
node has an answer."""

from typing import Any, Dict, Optional  # noqa: UP035 - TorchScript reads typing's

from torch import Tensor

from apps.histograph.program import GraphProgram

__all__ = ["NodeProgram"]


class NodeProgram(GraphProgram):
    """out of each node, logits (with probs beside them) or numbers; layer_weights of each graph, or of each node."""

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        index: Tensor,
        count: int,
        edges: Optional[Tensor] = None,  # noqa: UP045
    ) -> Dict[str, Tensor]:  # noqa: UP006
        answer, place = self.answered(x, edge_index, index, count, edges)
        out = answer["out"].index_select(0, place)
        named = {"out": out, "layer_weights": answer["layer_weights"]}
        if self.kind == "classes":
            named["probs"] = out.softmax(-1)
        return named

    def metadata(self) -> dict[str, Any]:
        weights = {"output": "layer_weights", "as": "map" if self.layers_by_node else "vector", "full": self.layers_by_node}
        # What has a row a graph comes first: it says how many rows there are.
        probs = [{"output": "probs", "as": "map"}] if self.kind == "classes" else []
        answer = [weights, *probs, {"output": "out", "as": "map", "full": bool(probs)}]
        along = ["out", *(["probs"] if probs else []), *(["layer_weights"] if self.layers_by_node else [])]
        return {**super().metadata(), "program": "nodes", "answer": answer, "along": along}
