"""Graphs that a person can write: a JSON object each. One a file for predict; a set is a .jsonl file with one a line.

    {"x": [[1, 0], [0, 1], [1, 0]], "edges": [[0, 1], [1, 2]], "label": "ring", "split": "train"}

x: features of each node. edges: pairs of nodes, counted from 0; each goes both ways unless "directed" is true. edge_features: one row an
edge. label: a class (text), or for regression a number or a list of them. split: train, val or test; if no line has one, folds are made.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.graph import Graph, make_graph, simple
from datamodules.histograph.table import SPLITS, GraphTable

__all__ = ["is_own", "read_graph", "read_own"]

KEYS = {"x", "edges", "edge_features", "label", "split", "directed", "id"}
MOST = 1 << 30


def is_own(path: Path) -> bool:
    return path.is_file() and path.suffix == ".jsonl"


def read_graph(path: Any) -> tuple[Any, ...]:
    """One graph of a .json file as predict takes it: node features, edges (2,E), and edge features where it has any."""
    try:
        graph = _graph(json.loads(Path(path).read_text(encoding="utf-8")), np.int64(0))
    except UnicodeDecodeError as error:
        raise ValueError(f"not a JSON file ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not a JSON object: {error}") from None
    return (graph.x, graph.edge_index, graph.edges) if graph.edges.shape[1] else (graph.x, graph.edge_index)


def read_own(path: Path) -> GraphTable:
    objects = []
    if path.stat().st_size > MOST:
        raise DataError(f"{path}: more than {MOST >> 30} GiB; split the set")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                objects.append((number, json.loads(line)))
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not a JSON object: {error}") from None
    if not objects:
        raise DataError(f"{path}: no graphs")
    labels = [_label(path, number, item) for number, item in objects]
    kinds = {type(label) for label in labels}
    if len(kinds) > 1:
        odd = next(number for (number, _), label in zip(objects, labels, strict=True) if type(label) is not type(labels[0]))
        raise DataError(f"{path}:{odd}: its label is of another kind than the first: all are texts (classes) or all numbers (regression)")
    regression = kinds == {list}
    classes = [f"target {i}" for i in range(len(labels[0]))] if regression else sorted(set(labels))
    graphs, rows = [], {split: [] for split in SPLITS}
    for (number, item), label in zip(objects, labels, strict=True):
        y = np.array(label, np.float32) if regression else np.int64(classes.index(label))
        try:
            graph = _graph(item, y)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from None
        if graphs and (graph.x.shape[1], graph.edges.shape[1], graph.y.shape) != _widths(graphs[0]):
            raise DataError(f"{path}:{number}: other numbers of node features, edge features or targets than the first graph")
        split = item.get("split")
        if split is not None and split not in SPLITS:
            raise DataError(f"{path}:{number}: split is train, val or test, not {split!r}")
        if split is not None:
            rows[split].append(len(graphs))
        graphs.append(graph)
    said = sum(map(len, rows.values()))
    if 0 < said < len(graphs):
        raise DataError(f"{path}: {said} of {len(graphs)} graphs name a split; all do, or none does")
    names = [f"feature {i}" for i in range(graphs[0].x.shape[1])]
    return GraphTable("own", str(path), graphs, classes, regression, names, rows if said else None, None, [str(path)])


def _widths(graph: Graph) -> tuple[int, int, Any]:
    return graph.x.shape[1], graph.edges.shape[1], graph.y.shape


def _label(path: Path, number: int, item: Any) -> Any:
    if not isinstance(item, dict):
        raise DataError(f"{path}:{number}: a line is a JSON object")
    label = item.get("label")
    if isinstance(label, str):
        return label
    values: list[Any] = label if isinstance(label, list) else [label]
    if not values or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise DataError(f"{path}:{number}: label is a text (a class) or numbers (regression), not {label!r}")
    return [float(value) for value in values]


def _graph(item: Any, y: Any) -> Graph:
    if not isinstance(item, dict) or "x" not in item or "edges" not in item:
        raise DataError("a graph is a JSON object with x (features of each node) and edges (pairs of nodes)")
    if unknown := sorted(set(item) - KEYS):
        raise DataError(f"unknown key {unknown[0]!r}; there are {', '.join(sorted(KEYS))}")
    try:
        x = np.asarray(item["x"], np.float32)
        edges = np.asarray(item["edges"], np.int64).reshape(-1, 2)
        features = np.asarray(item["edge_features"], np.float32).reshape(len(edges), -1) if "edge_features" in item else None
    except (ValueError, TypeError) as error:
        raise DataError(f"x and edge_features are rows of numbers of equal length, edges are pairs of whole numbers ({error})") from None
    if x.ndim != 2 or not np.isfinite(x).all():
        raise DataError("x is one row of finite numbers a node, all of equal length")
    edge_index = edges.T
    if not item.get("directed", False):
        edge_index = np.concatenate([edge_index, edge_index[::-1]], 1)
        features = None if features is None else np.concatenate([features, features])
    edge_index, features = simple(edge_index, len(x), features)
    return make_graph(x, edge_index, y, features)
