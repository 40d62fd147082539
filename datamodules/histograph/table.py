"""A set of graphs as it was read: the graphs, what their targets mean, and which split each belongs to."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from datamodules.histograph.graph import Graph

__all__ = ["SPLITS", "GraphTable"]

SPLITS = ("train", "val", "test")


@dataclass
class GraphTable:
    layout: str
    source: str
    graphs: list[Graph]
    classes: list[str]  # of classification; the names of the targets otherwise
    regression: bool
    features: list[str]  # what each column of the node features is
    rows: dict[str, list[int]] | None = None  # which graphs are in which split; None: not said by the source
    folds: str | None = None  # a file of folds that lies beside the set
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def edge_width(self) -> int:
        return self.graphs[0].edges.shape[1] if self.graphs else 0

    def labels(self) -> np.ndarray:
        return np.array([int(graph.y) for graph in self.graphs])

    def order_hash(self) -> str:
        """Of labels and node counts in order: a set whose graphs were re-ordered has other folds."""
        text = ";".join(f"{graph.y.tolist()} {len(graph.x)}" for graph in self.graphs)
        return hashlib.sha256(text.encode()).hexdigest()
