"""Embedded sets of whole graphs, made from a seed: how long is the cycle, and how many motifs are there."""

import json
from pathlib import Path

import numpy as np

from datamodules.histograph.graph import Graph, make_graph
from datamodules.whole import write_whole

__all__ = ["CYCLES", "MOTIFS", "VERSION", "cycles", "motif_counts", "motifs", "write_examples"]

VERSION = 1  # of the graphs: another number makes other ones
CYCLES = (3, 4, 5, 6, 7, 8)
MOTIFS = ("wedges", "stars", "walks", "triangles")
NODES = 24


def cycles(n: int, seed: int, mark: bool = True) -> list[Graph]:
    """One cycle of length 3..8, the class, with trees on it up to 24 nodes: neither nodes nor edges tell the length.

    Features are 1 and a mark on one node of the cycle: a network learns the length when the mark has come round. Without the mark it is
    much harder, and a control.
    """
    rng = np.random.default_rng([VERSION, seed])
    labels = rng.permutation(np.arange(n) % len(CYCLES))
    return [_cycle(rng, int(label), mark) for label in labels]


def _cycle(rng: np.random.Generator, label: int, mark: bool) -> Graph:
    length = CYCLES[label]
    around = np.arange(length)
    others = np.arange(length, NODES)
    parents = np.array([rng.integers(0, node) for node in others])
    edges = np.concatenate([np.stack([around, (around + 1) % length]), np.stack([others, parents])], 1)
    x = np.stack([np.ones(NODES), np.zeros(NODES)], 1)
    if mark:
        x[rng.integers(0, length), 1] = 1
    shuffled = rng.permutation(NODES)  # or the first nodes would be the cycle's
    edges = shuffled[edges]
    y = np.empty_like(x)
    y[shuffled] = x
    return make_graph(y, np.concatenate([edges, edges[::-1]], 1), np.int64(label))


def motifs(n: int, seed: int, standard: tuple[np.ndarray, np.ndarray] | None = None) -> tuple[list[Graph], tuple[np.ndarray, np.ndarray]]:
    """Random graphs (15 to 30 nodes, an edge in 0.15 of the pairs) and how many wedges, 3-stars, walks of length 3 and triangles they have.

    The first three can be counted by message passing of depth 1, 1 and 3 and a sum; triangles cannot, and are the control. Targets have
    mean 0 and deviation 1 by `standard` (mean, deviation); None takes these graphs' own. Returns it, too.
    """
    rng = np.random.default_rng([VERSION, seed, 1])
    matrices = []
    for _ in range(n):
        nodes = int(rng.integers(15, 31))
        upper = np.triu(rng.random((nodes, nodes)) < 0.15, 1)
        matrices.append(upper | upper.T)
    counts = np.stack([motif_counts(matrix) for matrix in matrices])
    mean, deviation = standard or (counts.mean(0), counts.std(0))
    targets = ((counts - mean) / deviation).astype(np.float32)
    graphs = [make_graph(np.ones((len(a), 1)), np.stack(a.nonzero()), y) for a, y in zip(matrices, targets, strict=True)]
    return graphs, (mean, deviation)


def motif_counts(adjacency: np.ndarray) -> np.ndarray:
    """Wedges, 3-stars, walks of length 3, triangles of a symmetric 0/1 matrix."""
    a = adjacency.astype(np.float64)
    degree = a.sum(0)
    wedges = (degree * (degree - 1) / 2).sum()
    stars = (degree * (degree - 1) * (degree - 2) / 6).sum()
    return np.array([wedges, stars, (a @ a @ a).sum(), np.trace(a @ a @ a) / 6])


def write_examples(folder: Path, n: int) -> list[Path]:
    """Cycle graphs as files that predict reads."""
    paths = []
    for i, graph in enumerate(cycles(n, seed=2)):
        path = Path(folder) / f"cycle{i}.json"
        with write_whole(path, "w") as file:
            json.dump({"x": graph.x.tolist(), "edges": graph.edge_index.T.tolist()}, file)
        paths.append(path)
    return paths
