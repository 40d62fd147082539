"""Nodes of one split: with their whole graph, or each with its surroundings; a module that workers can import without Lightning.

Shapes: N nodes of a batch, P nodes asked for, E edges.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.histograph.graph import Graph
from datamodules.histograph.history_file import HistoryFile
from datamodules.histograph.joining import join
from datamodules.histograph.neighbourhood import Neighbours
from datamodules.histograph.table import EVALUATION
from datamodules.order import Turn, sample_rng

__all__ = ["Asked", "Surroundings", "WholeGraph", "collate_nodes"]


class Asked(NamedTuple):
    graph: Graph
    nodes: Tensor  # int64 (P,): places in the graph
    y: Tensor  # int64 (P,)
    history: Tensor | None = None  # (N,L,C) of a frozen network


class WholeGraph(Dataset):
    """One sample: the graph, and all nodes of the split."""

    def __init__(self, graph: Graph, nodes: np.ndarray, history: HistoryFile | None = None) -> None:
        self.graph, self.nodes, self.history = graph, torch.from_numpy(nodes), history

    def __len__(self) -> int:
        return int(len(self.nodes) > 0)

    def __getitem__(self, asked: int | Turn) -> Asked:
        kept = None if self.history is None else self.history.graph(0)
        return Asked(self.graph, self.nodes, self.graph.y[self.nodes], kept)


class Surroundings(Dataset):
    """A sample a node: the graph drawn around it, in which it is node 0. Evaluation draws the same ones each time."""

    def __init__(self, graph: Graph, neighbours: Neighbours, nodes: np.ndarray, fanout: Sequence[int], seed: int) -> None:
        self.graph, self.neighbours, self.nodes, self.fanout, self.seed = graph, neighbours, nodes, tuple(fanout), seed

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, asked: int | Turn) -> Asked:
        turn, index = asked if isinstance(asked, tuple) else (EVALUATION, asked)
        root = int(self.nodes[index])
        seen, edges = self.neighbours.around(root, self.fanout, sample_rng(self.seed, turn, root))
        place = torch.from_numpy(seen)
        edge_index = torch.from_numpy(edges)
        part = Graph(self.graph.x[place], edge_index, torch.zeros(edge_index.shape[1], 0), self.graph.y[place])
        return Asked(part, torch.zeros(1, dtype=torch.int64), self.graph.y[root : root + 1])


def collate_nodes(samples: Sequence[Asked]) -> dict[str, Any]:
    """As graphs are collated, and `picked`, the nodes asked for, with their classes y."""
    joined = join([sample.graph for sample in samples])
    batch = {
        "nodes": joined.nodes,
        "edge_index": joined.edge_index,
        "edges": joined.edges,
        "picked": torch.cat([sample.nodes + start for sample, start in zip(samples, joined.starts, strict=True)]),
        "y": torch.cat([sample.y for sample in samples]),
    }
    kept = [sample.history for sample in samples if sample.history is not None]
    return {**batch, "history": torch.cat(kept)} if kept else batch
