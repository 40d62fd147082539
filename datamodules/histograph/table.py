"""A set of graphs as it was read: the graphs, what their targets mean, and which split each belongs to."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from datamodules.histograph.graph import Graph, content_hash

__all__ = ["EVALUATION", "RECIPES", "SPLITS", "GraphTable"]

SPLITS = ("train", "val", "test")
RECIPES = {"classes": "small", "tasks": "molecules", "numbers": "numbers"}  # by kind of targets
EVALUATION = 2**32  # turn of evaluation's order and draws: no epoch has this number


@dataclass
class GraphTable:
    layout: str
    source: str
    graphs: list[Graph]
    classes: list[str]  # of classification; the names of the targets otherwise
    kind: str  # of the targets: classes (one a graph), tasks (yes/no questions: 1, 0, or NaN where unknown) or numbers
    features: list[str]  # what each column of the node features is
    rows: dict[str, list[int]] | None = None  # which graphs are in which split; None: not said by the source
    folds: str | None = None  # a file of folds that lies beside the set
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)  # columns of node features are kinds: so many in each; empty: they are numbers
    edge_codes: list[int] = field(default_factory=list)
    edge_names: list[str] = field(default_factory=list)  # what each column of the edge features is, where the source says it

    @property
    def edge_width(self) -> int:
        return self.graphs[0].edges.shape[1] if self.graphs else 0

    def labels(self) -> np.ndarray:
        """What folds are spread by: the class; nothing where there are several targets."""
        if self.kind != "classes":
            return np.zeros(len(self.graphs), np.int64)
        return np.array([int(graph.y) for graph in self.graphs])

    def order_hash(self) -> str:
        """Of labels and node counts in order: a set whose graphs were re-ordered has other folds."""
        text = ";".join(f"{graph.y.tolist()} {len(graph.x)}" for graph in self.graphs)
        return hashlib.sha256(text.encode()).hexdigest()

    def fingerprint(self) -> str:
        """Of everything that the graphs hold, and their targets."""
        return hashlib.sha256(f"{content_hash(self.graphs)} {self.order_hash()}".encode()).hexdigest()
