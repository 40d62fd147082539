"""Links of one split and as many pairs that are none, on the graph that messages run along; a module without Lightning.

Shapes: N nodes, P pairs, half of them links.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.errors import DataError
from datamodules.histograph.graph import Graph
from datamodules.histograph.table import EVALUATION
from datamodules.order import Turn, sample_rng
from datamodules.ragged import flatten

__all__ = ["LinkSet", "Pair", "codes_of", "collate_links", "split_links"]

TRIES = 1000


class Pair(NamedTuple):
    graph: Graph  # that messages run along: the same of all samples of a split
    link: tuple[int, int]
    other: tuple[int, int]  # a pair that is no link


def codes_of(links: np.ndarray, nodes: int) -> np.ndarray:
    """One number for each pair (2,P), sorted."""
    return np.unique(links[0] * nodes + links[1])


class LinkSet(Dataset):
    """links: (2,P). known: codes of pairs that must not be drawn as no link, sorted. A pair that is none is drawn anew in each epoch of
    training, from f(seed, epoch, index); in evaluation it is always the same."""

    def __init__(self, graph: Graph, links: np.ndarray, known: np.ndarray, seed: int) -> None:
        self.graph, self.links, self.known, self.seed = graph, links, known, seed

    def __len__(self) -> int:
        return self.links.shape[1]

    def __getitem__(self, asked: int | Turn) -> Pair:
        turn, index = asked if isinstance(asked, tuple) else (EVALUATION, asked)
        rng, nodes = sample_rng(self.seed, turn, index), len(self.graph.x)
        for _ in range(TRIES):
            u, v = rng.integers(0, nodes, 2).tolist()
            code = u * nodes + v
            place = int(np.searchsorted(self.known, code))
            if u != v and (place == len(self.known) or self.known[place] != code):
                return Pair(self.graph, (int(self.links[0, index]), int(self.links[1, index])), (u, v))
        raise DataError("nearly every pair of nodes is linked: there are no others to tell links from")


def collate_links(samples: Sequence[Pair]) -> dict[str, Any]:
    """The graph once, `links` (2,P) and their y: 1 for a link, 0 for none."""
    graph = samples[0].graph
    pairs = torch.tensor([sample.link for sample in samples] + [sample.other for sample in samples]).T
    y = torch.cat([torch.ones(len(samples)), torch.zeros(len(samples))])
    return {"nodes": flatten([graph.x]), "edge_index": graph.edge_index, "edges": graph.edges, "links": pairs, "y": y}


def split_links(edge_index: Tensor, val: float, test: float, asked: float, directed: bool, seed: int) -> dict[str, np.ndarray]:
    """Each edge of a graph in one of four places: message (training's messages only), train (asked in training, no message there), val,
    test. asked: the share of training edges that is asked. Undirected edges are taken with both their directions."""
    edges = edge_index.numpy()
    if not directed:
        edges = edges[:, edges[0] < edges[1]]
    order = np.random.default_rng([seed, 4]).permutation(edges.shape[1])
    ends = np.cumsum([round(share * len(order)) for share in (test, val, (1 - test - val) * asked)])
    test_, val_, train, message = np.split(edges[:, order], ends, axis=1)
    return {"train": train, "val": val_, "test": test_, "message": message}
