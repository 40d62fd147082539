"""The exported program: graphs as plain tensors in, answers and weights out. It needs no PyG where it runs.

forward(x (N,C), edge_index (2,E), index (N,), count, edges (E,F)): index says which graph a node belongs to, in any order; count is how
many graphs there are, because the largest index misses empty graphs at the end; edges only where the model was trained with edge features.
"""

from collections.abc import Sequence
from typing import Any, Dict, Optional, Tuple  # noqa: UP035 - TorchScript reads typing's

import torch
from torch import Generator, Tensor, nn

from apps.base.program import Call, Program
from apps.histograph.leakcheck import batch_of
from apps.histograph.model import WithHistory
from core_attention.segments import Segments

__all__ = ["GraphProgram"]


def _together(index: Tensor, count: int) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
    """(order in which the nodes of a graph stand together, place of each node in it, offsets of the graphs)."""
    order = torch.argsort(index, stable=True)
    sizes = torch.zeros((count + 1,), dtype=torch.long, device=index.device)
    return order, torch.argsort(order), sizes.index_add(0, index + 1, torch.ones_like(index)).cumsum(0)


class _Open(nn.Module):
    """The model with offsets for segments and a dict for an answer: neither kind of tuple can be saved."""

    def __init__(self, model: WithHistory) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_NC: Tensor, edge_index: Tensor, edge_EF: Tensor, offsets: Tensor) -> Dict[str, Tensor]:  # noqa: UP006
        if torch.compiler.is_exporting():  # of segments the flat forms read the offsets only
            segments = Segments(offsets, 0, 0)
        else:
            segments = Segments.from_offsets(offsets)
        answer = self.model(x_NC, edge_index, edge_EF, segments)
        return answer._asdict()


class GraphProgram(Program):
    """out: logits (with probs beside them: of one class, or of each task), or the numbers of a regression.

    layer_weights of each graph, node_weights of each node.
    """

    def __init__(self, model: WithHistory, facts: dict[str, Any], examples: Sequence[tuple[Tensor, ...]], layers_by_node: bool) -> None:
        super().__init__()
        self.graph = _Open(model)
        self.first_layer = model.backbone.options.first_state
        self.edge_width = int(facts["edge_width"])
        self.features = len(facts["features"])
        self.kind = str(facts["kind"])
        self.layers_by_node = layers_by_node
        self._facts = facts
        self._examples = list(examples)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        index: Tensor,
        count: int,
        edges: Optional[Tensor] = None,  # noqa: UP045
    ) -> Dict[str, Tensor]:  # noqa: UP006
        answer, place = self.answered(x, edge_index, index, count, edges)
        out = {
            "out": answer["out"],
            "layer_weights": answer["layer_weights"],
            "node_weights": answer["node_weights"].index_select(0, place),
        }
        if self.kind == "classes":
            out["probs"] = out["out"].softmax(-1)
        elif self.kind == "tasks":
            out["probs"] = out["out"].sigmoid()
        return out

    def answered(
        self,
        x: Tensor,
        edge_index: Tensor,
        index: Tensor,
        count: int,
        edges: Optional[Tensor],  # noqa: UP045
    ) -> Tuple[Dict[str, Tensor], Tensor]:  # noqa: UP006
        """(what the model says of the nodes laid together by graph, the place of each node there)."""
        edge_features = x.new_zeros((edge_index.shape[1], self.edge_width)) if edges is None else edges
        order, place, offsets = _together(index, count)
        answer = self.graph(x.index_select(0, order), place[edge_index], edge_features, offsets)
        if self.layers_by_node:
            answer["layer_weights"] = answer["layer_weights"].index_select(0, place)
        return answer, place

    def weights(self) -> nn.Module:
        return self.graph.get_submodule("model")

    def examples(self) -> list[tuple[Tensor, ...]]:
        return self._examples

    def noise(self, generator: Generator) -> list[tuple[Tensor, ...]]:
        """Random graphs, among them one without edges."""
        items = []
        for nodes, edges in ((5, 8), (1, 0), (24, 60), (9, 3)):
            x = _features(nodes, self.features, self._facts["codes"], generator)
            edge_index = torch.randint(0, nodes, (2, edges), generator=generator)
            edge_features = _features(edges, self.edge_width, self._facts["edge_codes"], generator)
            items.append((x, edge_index, edge_features)[: 3 if self.edge_width else 2])
        return items

    def calls(self, generator: Generator) -> list[Call]:
        """Graphs together and alone; with an empty graph at the end; nodes out of order."""
        items = [*self.noise(generator), *self._examples]
        calls = [Call("forward", _arguments(batch, 0)) for batch in (items, items[2:3], items[:2], items[1:2])]
        calls.append(Call("forward", _arguments(items, 1)))
        x, edge_index, index, count, *edges = _arguments(items[:4], 0)
        order = torch.randperm(len(x), generator=generator)
        return [*calls, Call("forward", (x[order], order.argsort()[edge_index], index[order], count, *edges))]

    def traced(self) -> dict[str, tuple[Any, Sequence[Any]]]:
        items = self.noise(torch.Generator().manual_seed(0))
        examples = []
        for batch in (items, items[2:3], items[:2], items[1:2]):
            x, edge_index, edges, segments = batch_of(batch)
            examples.append((x, edge_index, edges, segments.offsets))
        return {"graph": (examples[0], examples[1:])}

    def dynamic(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        free = torch.export.Dim.DYNAMIC
        return ({0: free}, {1: free}, {0: free}, free, *({0: free} for _ in args[4:]))

    def metadata(self) -> dict[str, Any]:
        answer = {
            "classes": {"output": "probs", "as": "top", "k": 5},
            "tasks": {"output": "probs", "as": "named"},
            "numbers": {"output": "out", "as": "named"},
        }[self.kind]
        return {
            "app": "histograph",
            "program": "graphs",
            "labels": self._facts["classes"],
            "answer": [
                answer,
                {"output": "layer_weights", "as": "vector" if not self.layers_by_node else "map", "full": self.layers_by_node},
                {"output": "node_weights", "as": "vector", "full": True},
                *([{"output": "out", "as": "vector", "full": True}] if self.kind != "numbers" else []),
            ],
            "batching": "graph",
            "along": ["node_weights", *(["layer_weights"] if self.layers_by_node else [])],
            "input": "graph",
            "features": self._facts["features"],
            "edge_features": self.edge_width,
            "first_layer": self.first_layer,
            "edge_names": self._facts["edge_names"],
            "codes": self._facts["codes"],
            "edge_codes": self._facts["edge_codes"],
            "preprocessing": {},
            "licence": self._facts["licence"],
        }


def _features(rows: int, columns: int, codes: Sequence[int], generator: Generator) -> Tensor:
    """Random numbers, or random kinds where columns are kinds."""
    x = torch.rand(rows, columns, generator=generator)
    return (x * torch.tensor(codes)).floor() if codes else x


def _arguments(items: Sequence[tuple[Tensor, ...]], empty: int) -> tuple[Any, ...]:
    """What forward takes, with so many empty graphs at the end."""
    x, edge_index, edges, segments = batch_of(items)
    index = torch.arange(len(items)).repeat_interleave(segments.offsets.diff())
    return (x, edge_index, index, len(items) + empty, *([edges] if edges.shape[1] else []))
