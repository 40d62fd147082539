"""One graph whose nodes have labels or numbers, and a place in the splits. What was read is checked here, wherever it came from.

Shapes: N nodes, C features, E edges.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from datamodules.errors import DataError
from datamodules.histograph.graph import Graph, content_hash, make_graph, simple
from datamodules.histograph.table import SPLITS

__all__ = ["UNKNOWN", "OneGraph", "make_one_graph", "row_normalised"]

UNKNOWN = -1  # the label of a node that nobody has labelled


@dataclass
class OneGraph:
    layout: str
    source: str
    graph: Graph  # y is int64 (N,), or targets float32 (N,T)
    classes: list[str]  # the names of the targets where they are numbers
    features: list[str]
    rows: dict[str, np.ndarray]  # nodes of each split
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = "classes"  # or numbers
    codes = edge_codes = edge_names = ()

    @property
    def edge_width(self) -> int:
        return self.graph.edges.shape[1]

    def fingerprint(self) -> str:
        rows = b"".join(self.rows[split].astype(np.int64).tobytes() for split in SPLITS)
        return hashlib.sha256(content_hash([self.graph]).encode() + self.graph.y.numpy().tobytes() + rows).hexdigest()


def make_one_graph(
    layout: str,
    source: Any,
    x: np.ndarray,
    edges: np.ndarray,
    y: np.ndarray | None,
    rows: dict[str, Any],
    directed: bool = False,
    **more: Any,
) -> OneGraph:
    """edges: (2,E) as listed; each counts once, goes both ways unless directed, and none leads from a node to itself. y: classes as whole
    numbers, or -1; None where the nodes have none, nor splits."""
    x = np.asarray(x, np.float32)
    nodes = len(x)
    if nodes < 2 or x.ndim != 2 or not x.shape[1]:
        raise DataError(f"{source}: features are one row a node of at least two nodes, not {x.shape}")
    if not np.isfinite(x).all():
        raise DataError(f"{source}: node {int(np.flatnonzero(~np.isfinite(x).all(1))[0])} has a feature that is not finite")
    if y is not None and (y.shape != (nodes,) or y.dtype.kind not in "iu"):
        raise DataError(f"{source}: {nodes:,} nodes have labels {y.dtype} {y.shape}; one whole number a node is needed, -1 where unknown")
    edges = np.asarray(edges)
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise DataError(f"{source}: edges are whole numbers (2, edges), not {edges.dtype} {edges.shape}")
    try:
        listed, _ = simple(edges, nodes)
        both = listed if directed else simple(np.concatenate([listed, listed[::-1]], 1), nodes)[0]
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    target, classes = _classes(source, y) if y is not None else (np.full(nodes, UNKNOWN, np.int64), [])
    notes = more.pop("notes", [])
    if both.shape[1] > listed.shape[1]:
        notes = [*notes, f"{both.shape[1] - listed.shape[1]:,} edges were listed in one direction; they go both ways"]
    return OneGraph(
        layout,
        str(source),
        make_graph(x, both, torch.from_numpy(target)),
        classes,
        [f"feature {i}" for i in range(x.shape[1])],
        _rows(source, rows, target) if y is not None else {split: np.zeros(0, np.int64) for split in SPLITS},
        notes=notes,
        **more,
    )


def _classes(source: Any, y: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(the number of each node's class, or UNKNOWN; the classes)."""
    values, labels = np.unique(y[y != UNKNOWN], return_inverse=True)
    if len(values) < 2:
        raise DataError(f"{source}: {len(values)} classes; classification needs two")
    target = np.full(len(y), UNKNOWN, np.int64)
    target[y != UNKNOWN] = labels
    return target, [str(value) for value in values]


def _rows(source: Any, rows: dict[str, Any], y: np.ndarray) -> dict[str, np.ndarray]:
    """The nodes of each split: known, each in one split only, and labelled."""
    found = {split: np.asarray(rows[split]) for split in SPLITS}
    seen = np.zeros(len(y), bool)
    for split, own in found.items():
        if own.ndim != 1 or own.dtype.kind not in "iu" or (len(own) and (own.min() < 0 or own.max() >= len(y))):
            raise DataError(f"{source}: the {split} split names nodes that are not among 0..{len(y) - 1}")
        if seen[own].any() or len(np.unique(own)) < len(own):
            twice = own[seen[own]][0] if seen[own].any() else own[0]
            raise DataError(f"{source}: node {twice} of the {split} split is there twice, or in another split, too")
        seen[own] = True
        if (y[own] == UNKNOWN).any():
            raise DataError(f"{source}: node {own[y[own] == UNKNOWN][0]} of the {split} split has no label")
    return {split: own.astype(np.int64) for split, own in found.items()}


def row_normalised(x: np.ndarray) -> np.ndarray:
    """Rows that sum to 1, as most recipes of citation graphs have them; rows of zeros stay."""
    total = x.sum(1, keepdims=True)
    return np.divide(x, total, out=np.zeros_like(x), where=total != 0)
