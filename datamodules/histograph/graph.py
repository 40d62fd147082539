"""A graph, and several of them as one batch.

Shapes: N nodes, E edges, C features, F width of edge features, S graphs.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules.errors import DataError
from datamodules.histograph.joining import join

__all__ = ["Graph", "collate", "content_hash", "make_graph", "simple"]


class Graph(NamedTuple):
    x: Tensor  # float32 (N,C)
    edge_index: Tensor  # int64 (2,E): an edge goes from row 0 to row 1, and stands in both directions where it has none
    edges: Tensor  # float32 (E,F); F may be 0
    y: Tensor  # a class (int64) or targets (float32); NaN where unknown


def make_graph(x: Any, edge_index: Any, y: Any, edges: Any = None) -> Graph:
    """A graph of arrays; edges that name no node are refused."""
    x_NC = torch.as_tensor(np.asarray(x, np.float32))
    edge_index = torch.as_tensor(np.asarray(edge_index, np.int64).reshape(2, -1))
    if x_NC.ndim != 2:
        raise DataError(f"node features are rows of equal length, not of shape {tuple(x_NC.shape)}")
    check_edges(edge_index.numpy(), len(x_NC))
    edges_EF = torch.zeros(edge_index.shape[1], 0) if edges is None else torch.as_tensor(np.asarray(edges, np.float32))
    if edges_EF.ndim != 2 or len(edges_EF) != edge_index.shape[1]:
        raise DataError(f"edge features are one row an edge, {edge_index.shape[1]} rows, not of shape {tuple(edges_EF.shape)}")
    return Graph(x_NC, edge_index, edges_EF, torch.as_tensor(y))


def check_edges(edge_index: np.ndarray, nodes: int) -> None:
    wrong = edge_index[(edge_index < 0) | (edge_index >= nodes)]
    if wrong.size:
        raise DataError(f"an edge names node {wrong[0]}; the nodes are 0..{nodes - 1}")


def simple(edge_index: np.ndarray, nodes: int, edges: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Edges (2,E) as they are, without self-loops and each once: an edge list that names edges twice would double every message.

    Of edge features the first wins.
    """
    check_edges(edge_index, nodes)  # or a wrong number could pass for another edge
    kept = np.flatnonzero(edge_index[0] != edge_index[1])
    _, first = np.unique(edge_index[0, kept].astype(np.int64) * max(nodes, 1) + edge_index[1, kept], return_index=True)
    kept = kept[first]
    return edge_index[:, kept], None if edges is None else edges[kept]


def content_hash(graphs: Sequence[Graph]) -> str:
    """Of what a network is fed: features, edges and edge features, in order."""
    digest = hashlib.sha256()
    for graph in graphs:
        for part in graph[:3]:
            digest.update(f"{tuple(part.shape)}".encode())
            digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


def collate(samples: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """(graph, number of the graph) pairs as one graph of many parts: nodes (ragged), edge_index, edges, y, graph. Cached states that
    the samples have with them become `history` (N,L,C)."""
    graphs: list[Graph] = [sample[0] for sample in samples]
    joined = join(graphs)
    batch = {
        "nodes": joined.nodes,
        "edge_index": joined.edge_index,
        "edges": joined.edges,
        "y": torch.stack([graph.y for graph in graphs]),
        "graph": torch.tensor([sample[1] for sample in samples]),
    }
    return {**batch, "history": torch.cat([sample[2] for sample in samples])} if len(samples[0]) > 2 else batch
