"""Graphs whose nodes, edges and attributes have names, as a person or another program wrote them: made into rows of numbers in one way.

Node features are the numeric attributes in the order of their names, the same in every graph; without any, degrees. Nodes keep the order
in which they stand in the file. What a graph is called to be, `label` (a text, or numbers), and its `split` are attributes of the graph.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.cutting import DEGREE_NAMES, NO_FEATURES, degrees
from datamodules.histograph.graph import make_graph, simple
from datamodules.histograph.table import SPLITS, GraphTable
from datamodules.histograph.targets import targets_of

__all__ = ["NamedGraph", "arrays_of", "attribute_names", "read_label", "split_rows", "table_of"]


@dataclass
class NamedGraph:
    place: str  # what an error names: file:line, or file and graph
    directed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    nodes: dict[Any, dict[str, Any]] = field(default_factory=dict)  # id -> attributes
    edges: list[tuple[Any, Any, dict[str, Any], str]] = field(default_factory=list)  # source, target, attributes, place

    def node(self, name: Any, attributes: dict[str, Any], place: str) -> None:
        if name in self.nodes:
            raise DataError(f"{place}: node {name!r} stands there twice")
        self.nodes[name] = attributes

    def edge(self, source: Any, target: Any, attributes: dict[str, Any], place: str) -> None:
        self.edges.append((source, target, attributes, place))


def arrays_of(
    graph: NamedGraph, names: Sequence[str], edge_names: Sequence[str]
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Node features (None without names), edges (2,E) each once in its directions, and their features (None without names)."""
    number = {name: i for i, name in enumerate(graph.nodes)}
    for source, target, _, place in graph.edges:
        for end in (source, target):
            if end not in number:
                raise DataError(f"{place}: an edge names node {end!r}, which is not there")
    ends = np.array([(number[source], number[target]) for source, target, _, _ in graph.edges], np.int64).reshape(-1, 2).T
    x = np.array([_row(a, names, graph.place, f"node {n!r}") for n, a in graph.nodes.items()], np.float32).reshape(
        len(graph.nodes), len(names)
    )
    rows = [_row(attributes, edge_names, place, "an edge") for _, _, attributes, place in graph.edges]
    features = np.array(rows, np.float32).reshape(len(rows), len(edge_names))
    if not graph.directed:
        ends, features = np.concatenate([ends, ends[::-1]], 1), np.concatenate([features, features])
    ends, kept = simple(ends, len(number), features)
    return (x if names else None), ends, (kept if edge_names else None)


def attribute_names(graph: NamedGraph) -> tuple[list[str], list[str]]:
    """Of the nodes and of the edges, told by the first of each."""
    first = next(iter(graph.nodes.values()), {})
    return sorted(first), sorted(graph.edges[0][2]) if graph.edges else []


def table_of(layout: str, source: str, graphs: Sequence[NamedGraph], files: list[str]) -> GraphTable:
    if not graphs:
        raise DataError(f"{source}: no graphs")
    names = attribute_names(next((graph for graph in graphs if graph.nodes), graphs[0]))[0]
    edge_names = attribute_names(next((graph for graph in graphs if graph.edges), graphs[0]))[1]
    target_names, labels = None, [read_label(graph.facts.get("label"), graph.place) for graph in graphs]
    if isinstance(graphs[0].facts.get("label"), dict):
        target_names = list(graphs[0].facts["label"])
    targets = targets_of(labels, [graph.place for graph in graphs], target_names)
    made = []
    for graph, y in zip(graphs, targets.y, strict=True):
        x, ends, features = arrays_of(graph, names, edge_names)
        made.append(make_graph(degrees(ends, len(graph.nodes)) if x is None else x, ends, y, features))
    rows = split_rows(source, [(graph.place, graph.facts.get("split")) for graph in graphs])
    return GraphTable(
        layout, source, made, targets.names, targets.kind, names or DEGREE_NAMES,
        rows, None, files, [] if names else [NO_FEATURES], edge_names=edge_names,
    )  # fmt: skip


def _row(attributes: dict[str, Any], names: Sequence[str], place: str, whose: str) -> list[float]:
    if set(attributes) != set(names):
        missing, more = sorted(set(names) - set(attributes)), sorted(set(attributes) - set(names))
        what = f"has no {missing[0]!r}" if missing else f"has {more[0]!r}, too"
        raise DataError(f"{place}: {whose} {what}; all have the same attributes ({', '.join(names) or 'none here'})")
    return [_number(attributes[name], place, f"{whose}: {name}") for name in names]


def _number(value: Any, place: str, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{place}: {what} is {value!r}, no number; write kinds as 0/1 columns, one a kind") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: {what} is not finite")
    return number


def read_label(label: Any, place: str) -> str | list[float]:
    """A text (a class), a number, or a list or object of numbers; null is unknown. For `targets_of`."""
    if isinstance(label, str):
        return label
    values = list(label.values()) if isinstance(label, dict) else label if isinstance(label, list) else [label]
    right = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    if not values or not right or (not isinstance(label, list | dict) and label is None):
        raise DataError(f"{place}: label is a text (a class) or numbers, null where unknown in a list, not {label!r}")
    return [float("nan") if value is None else float(value) for value in values]


def split_rows(source: str, said: Sequence[tuple[str, Any]]) -> dict[str, list[int]] | None:
    """Which graphs are in which split, if they say so; all do, or none does."""
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row, (place, split) in enumerate(said):
        if split is not None and split not in SPLITS:
            raise DataError(f"{place}: split is train, val or test, not {split!r}")
        if split is not None:
            rows[split].append(row)
    count = sum(map(len, rows.values()))
    if 0 < count < len(said):
        raise DataError(f"{source}: {count} of {len(said)} graphs name a split; all do, or none does")
    return rows if count else None
