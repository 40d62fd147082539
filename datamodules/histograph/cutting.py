"""What layouts that list all graphs in one table share: cutting it into graphs, and features where there are labels or nothing."""

import numpy as np

from datamodules.errors import DataError
from datamodules.histograph.graph import Graph, make_graph

__all__ = ["DEGREE_CAP", "DEGREE_NAMES", "NO_FEATURES", "cut", "degrees", "one_hot", "sorted_note"]

DEGREE_CAP = 64  # ours: fixed, because the largest degree of a set is also that of its test graphs
DEGREE_NAMES = [*(f"degree {i}" for i in range(DEGREE_CAP + 1)), "more"]  # of the features that `degrees` makes
NO_FEATURES = f"no node labels: features are one-hot degrees up to {DEGREE_CAP}"


def cut(features: np.ndarray, edge_index: np.ndarray, edge_features: np.ndarray | None, sizes: np.ndarray, y: np.ndarray) -> list[Graph]:
    """One graph of all nodes into many; a graph id that never occurs is a graph without nodes."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    by_graph = np.argsort(edge_index[0], kind="stable")
    edge_index = edge_index[:, by_graph]
    edge_features = None if edge_features is None else edge_features[by_graph]
    cuts = np.searchsorted(edge_index[0], starts)
    graphs = []
    for i in range(len(sizes)):
        own, nodes = slice(cuts[i], cuts[i + 1]), slice(starts[i], starts[i + 1])
        edges = None if edge_features is None else edge_features[own]
        graphs.append(make_graph(features[nodes], edge_index[:, own] - starts[i], y[i], edges))
    return graphs


def degrees(edge_index: np.ndarray, nodes: int) -> np.ndarray:
    """One-hot degrees, as DEGREE_NAMES says; those above the cap are in one column."""
    degree = np.minimum(np.bincount(edge_index[0], minlength=nodes), DEGREE_CAP + 1)
    return np.eye(len(DEGREE_NAMES), dtype=np.float32)[degree]


def sorted_note(labels: np.ndarray, classes: int) -> list[str]:
    """A line when the order of the graphs gives their class away."""
    if len(labels) > 2 * classes and (np.diff(labels) != 0).sum() == classes - 1:
        return ["the graphs are sorted by class; training and evaluation shuffle them"]
    return []


def one_hot(labels: np.ndarray, what: str) -> tuple[np.ndarray, list[str]]:
    """Each column of whole numbers one-hot, its least value first."""
    parts, names = [], []
    for column in range(labels.shape[1]):
        low = int(labels[:, column].min()) if len(labels) else 0
        values = labels[:, column] - low
        width = int(values.max()) + 1 if len(labels) else 1
        if width > 4096:
            raise DataError(f"{what}s reach from {low} to {low + width - 1}: too many for one column each; give them as attributes")
        parts.append(np.eye(width, dtype=np.float32)[values])
        prefix = what if labels.shape[1] == 1 else f"{what} {column}:"
        names += [f"{prefix} {low + i}" for i in range(width)]
    return np.concatenate(parts, 1), names
