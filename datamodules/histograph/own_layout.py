"""Graphs that a person can write: a JSON object each. One a file for predict; a set is a .jsonl file with one a line, a .json file with a
list of them, or a folder of .json files.

    {"x": [[1, 0], [0, 1], [1, 0]], "edges": [[0, 1], [1, 2]], "label": "ring", "split": "train"}

x: features of each node. edges: pairs of nodes, counted from 0; each goes both ways unless "directed" is true. edge_features: one row an
edge. label: a class (text), or a number or a list of them, null where unknown; nothing but 0, 1 and null are yes/no tasks. split: train,
val or test; if no graph has one, folds are made. NetworkX's node-link objects stand in the same places, label and split under "graph".
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.graph import Graph, make_graph, simple
from datamodules.histograph.named import read_label, split_rows, table_of
from datamodules.histograph.nodelink import is_node_link, named_of
from datamodules.histograph.table import GraphTable
from datamodules.histograph.targets import targets_of

__all__ = ["graph_of", "is_own", "questions", "read_json", "read_own"]

KEYS = {"x", "edges", "edge_features", "label", "split", "directed", "id"}
MOST = 1 << 30


def is_own(path: Path) -> bool:
    if path.is_dir():
        return _is_graph(_tried(next(iter(_files(path)), None)))
    return path.is_file() and path.suffix in (".jsonl", ".json")


def read_own(path: Path) -> GraphTable:
    objects = list(_objects(path))
    files = [str(file) for file in _files(path)] if path.is_dir() else [str(path)]
    if not objects:
        raise DataError(f"{path}: no graphs")
    kinds = [is_node_link(item) for _, item in objects]
    if len(set(kinds)) > 1:
        raise DataError(f"{objects[kinds.index(not kinds[0])][0]}: node-link JSON and x with edges in one set; write all alike")
    if kinds[0]:
        return table_of("node-link", str(path), [named_of(item, place) for place, item in objects], files)
    places = [place for place, _ in objects]
    targets = targets_of([_label(place, item) for place, item in objects], places)
    graphs: list[Graph] = []
    for (place, item), y in zip(objects, targets.y, strict=True):
        try:
            graph = graph_of(item, y)
        except ValueError as error:
            raise DataError(f"{place}: {error}") from None
        if graphs and _widths(graph) != _widths(graphs[0]):
            raise DataError(f"{place}: other numbers of node features or edge features than the first graph")
        graphs.append(graph)
    rows = split_rows(str(path), [(place, item.get("split")) for place, item in objects])
    names = [f"feature {i}" for i in range(graphs[0].x.shape[1])]
    return GraphTable("own", str(path), graphs, targets.names, targets.kind, names, rows, None, files)


def questions(folder: Path) -> list[Path]:
    """The files of a folder of graphs none of which says its label: there is nothing to learn from them, but they can be asked about."""
    if any(folder.glob("*.graphml")):  # a set of that layout
        return []
    files = _files(folder)
    for number, file in enumerate(files):
        item = _tried(file)
        if (number == 0 and not _is_graph(item)) or _says_label(item):
            return []
    return files


def _says_label(item: Any) -> bool:
    about = item.get("graph") if is_node_link(item) else item
    return isinstance(about, dict) and about.get("label") is not None


def read_json(path: Path) -> Any:
    """The contents of one file."""
    if path.stat().st_size > MOST:
        raise DataError(f"{path}: more than {MOST >> 30} GiB; split the set")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a JSON file ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not a JSON object: {error.msg}") from None
    except RecursionError:
        raise DataError(f"{path}: not a graph: lists within lists without end") from None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())


def _tried(path: Path | None) -> Any:
    """The contents; nothing where they cannot be read, which is said when the graph itself is asked for."""
    try:
        return read_json(path) if path is not None else None
    except (DataError, OSError):
        return None


def _is_graph(item: Any) -> bool:
    """A folder of other JSON is left to others."""
    return is_node_link(item) or (isinstance(item, dict) and {"x", "edges"} <= set(item))


def _objects(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, object) of each graph."""
    if path.is_dir():
        for file in _files(path):
            yield str(file), read_json(file)
    elif path.suffix == ".json":
        found = read_json(path)
        for i, item in enumerate(found if isinstance(found, list) else [found]):
            yield f"{path}: graph {i}", item
    else:
        if path.stat().st_size > MOST:
            raise DataError(f"{path}: more than {MOST >> 30} GiB; split the set")
        with path.open(encoding="utf-8") as file:
            try:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield f"{path}:{number}", json.loads(line)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not a JSON object: {error}") from None  # pyright: ignore[reportPossiblyUnboundVariable]
            except RecursionError:
                raise DataError(f"{path}:{number}: not a graph: lists within lists without end") from None  # pyright: ignore[reportPossiblyUnboundVariable]


def _widths(graph: Graph) -> tuple[int, int]:
    return graph.x.shape[1], graph.edges.shape[1]


def _label(place: str, item: Any) -> Any:
    if not isinstance(item, dict):
        raise DataError(f"{place}: a graph is a JSON object")
    return read_label(item.get("label"), place)


def graph_of(item: Any, y: Any) -> Graph:
    """The graph of one object with x and edges."""
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
    if features is not None and not np.isfinite(features).all():
        raise DataError("edge_features is one row of finite numbers an edge")
    edge_index = edges.T
    if not item.get("directed", False):
        edge_index = np.concatenate([edge_index, edge_index[::-1]], 1)
        features = None if features is None else np.concatenate([features, features])
    edge_index, features = simple(edge_index, len(x), features)
    return make_graph(x, edge_index, y, features)
