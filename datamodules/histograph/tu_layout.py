"""The TU collection's raw text files, plain or gzipped, in a folder or its raw/: NAME_A.txt, NAME_graph_indicator.txt and so on."""

from pathlib import Path

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.cutting import DEGREE_NAMES, NO_FEATURES, cut, degrees, one_hot, sorted_note
from datamodules.histograph.graph import simple
from datamodules.histograph.numbers_file import find_file, read_numbers
from datamodules.histograph.table import GraphTable

__all__ = ["is_tu", "read_tu"]


def is_tu(path: Path) -> bool:
    return path.is_dir() and _prefix(path) is not None


def _prefix(path: Path) -> Path | None:
    """The common beginning of the files' names."""
    for folder in (path, path / "raw"):
        if folder.is_dir():
            for file in sorted(folder.iterdir()):
                name = file.name.removesuffix(".gz")
                if name.endswith("_A.txt"):
                    return folder / name.removesuffix("_A.txt")
    return None


def read_tu(path: Path, node_attributes: bool = False) -> GraphTable:
    """Self-loops are dropped and edges listed twice are taken once. Features are one-hot node labels (and attributes, where asked for);
    a set that has none gets one-hot degrees, those above 64 in one column."""
    prefix = _prefix(path)
    if prefix is None:
        raise DataError(f"{path}: no NAME_A.txt there or in raw/")
    reader = _Reader(prefix)
    graph_N = reader.ids("graph_indicator")
    y, classes, kind = reader.targets()
    graphs = len(y)
    if graph_N.size and (graph_N.min() < 1 or graph_N.max() > graphs):
        line = int(np.flatnonzero((graph_N < 1) | (graph_N > graphs))[0]) + 1
        raise DataError(f"{reader.named('graph_indicator')}:{line}: graph {graph_N[line - 1]}; there are labels of graphs 1..{graphs}")
    edge_E2 = reader.edges(len(graph_N))
    if (across := graph_N[edge_E2[:, 0]] != graph_N[edge_E2[:, 1]]).any():
        raise DataError(f"{reader.named('A')}:{int(np.flatnonzero(across)[0]) + 1}: an edge between two graphs")
    features, names = reader.node_features(len(graph_N), node_attributes)
    edge_features = reader.edge_features(len(edge_E2))

    notes = list(reader.notes)
    order = np.argsort(graph_N, kind="stable")  # sorted in every public set; where not, nodes keep their order in the graph
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    edge_index, edge_features = simple(place[edge_E2].T, len(graph_N), edge_features)
    if (lost := len(edge_E2) - edge_index.shape[1]) > 0:
        notes.append(f"{lost:,} self-loops or repeated edges left out")
    if features is None:
        features, names = degrees(edge_index, len(graph_N)), DEGREE_NAMES
        notes.append(NO_FEATURES)
    else:
        features = features[order]
    made = cut(features, edge_index, edge_features, np.bincount(graph_N - 1, minlength=graphs), y)
    notes += sorted_note(y, len(classes)) if kind == "classes" else []
    folds = find_file(path / "splits" / "10fold_stratified.json")
    return GraphTable("tu", str(path), made, classes, kind, names, None, str(folds) if folds else None, reader.files, notes)


class _Reader:
    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.files: list[str] = []
        self.notes: list[str] = []

    def named(self, part: str) -> Path:
        path = self.prefix.with_name(f"{self.prefix.name}_{part}.txt")
        return find_file(path) or path

    def has(self, part: str) -> bool:
        return self.named(part).is_file()

    def numbers(self, part: str, dtype: type, columns: int | None = None, rows: int | None = None) -> np.ndarray:
        path = self.named(part)
        found = read_numbers(path, dtype, columns)
        self.files.append(str(path))
        if rows is not None and len(found) != rows:
            raise DataError(f"{path}:{min(len(found), rows) + 1}: {len(found):,} lines instead of {rows:,}")
        return found

    def ids(self, part: str) -> np.ndarray:
        return self.numbers(part, np.int64, 1)[:, 0]

    def edges(self, nodes: int) -> np.ndarray:
        """(E,2), counted from 0."""
        edge_E2 = self.numbers("A", np.int64, 2)
        if (wrong := ((edge_E2 < 1) | (edge_E2 > nodes)).any(1)).any():
            line = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{self.named('A')}:{line + 1}: edge {edge_E2[line, 0]}, {edge_E2[line, 1]}; the nodes are 1..{nodes}")
        return edge_E2 - 1

    def targets(self) -> tuple[np.ndarray, list[str], str]:
        if self.has("graph_labels"):
            values, labels = np.unique(self.ids("graph_labels"), return_inverse=True)
            return labels.astype(np.int64), [str(value) for value in values], "classes"
        if not self.has("graph_attributes"):
            raise DataError(f"{self.named('graph_labels')}: no such file, nor graph_attributes: nothing to learn")
        targets = self.numbers("graph_attributes", np.float32)
        return targets, [f"target {i}" for i in range(targets.shape[1])], "numbers"

    def node_features(self, nodes: int, attributes: bool) -> tuple[np.ndarray | None, list[str]]:
        """Attributes, then one-hot labels."""
        parts, names = [], []
        if attributes:
            if not self.has("node_attributes"):
                raise DataError(f"{self.named('node_attributes')}: no such file; leave node_attributes out")
            parts.append(self.numbers("node_attributes", np.float32, rows=nodes))
            names += [f"attribute {i}" for i in range(parts[0].shape[1])]
        elif self.has("node_attributes"):
            self.notes.append("node attributes are there and not used; set node_attributes to use them")
        if self.has("node_labels"):
            hot, hot_names = one_hot(self.numbers("node_labels", np.int64, rows=nodes), "label")
            parts.append(hot)
            names += hot_names
        return (np.concatenate(parts, 1) if parts else None), names

    def edge_features(self, edges: int) -> np.ndarray | None:
        parts = []
        if self.has("edge_attributes"):
            parts.append(self.numbers("edge_attributes", np.float32, rows=edges))
        if self.has("edge_labels"):
            parts.append(one_hot(self.numbers("edge_labels", np.int64, rows=edges), "label")[0])
        return np.concatenate(parts, 1) if parts else None
