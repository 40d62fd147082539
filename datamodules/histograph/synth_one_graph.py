"""Embedded sets of one graph: two blocks that differ in whom they know, of any size. And a high pass on barbells."""

import numpy as np

from datamodules.histograph.graph import make_graph
from datamodules.histograph.one_graph import OneGraph, make_one_graph
from datamodules.histograph.table import SPLITS

__all__ = ["barbells", "two_blocks"]

VERSION = 1
WIDTH = 8
SHIFT = 0.5
BARBELL = 24  # nodes


def two_blocks(seed: int, block: int, p_in: float, p_out: float, labelled: int, val: int, test: int) -> OneGraph:
    """Two blocks of so many nodes; an edge within a block has probability p_in, across p_out. Features are N(0, 1), the first of them
    moved by 0.5 up or down by block: alone they say little. labelled: training nodes in each block; val, test: nodes of both."""
    rng = np.random.default_rng([VERSION, seed, 2])
    nodes = 2 * block
    y = np.repeat([0, 1], block)
    x = rng.standard_normal((nodes, WIDTH), np.float32)
    x[:, 0] += np.where(y == 0, SHIFT, -SHIFT)
    within = [_pairs(rng, block * (block - 1) // 2, p_in) for _ in range(2)]
    lower = [_below_diagonal(codes) + start for codes, start in zip(within, (0, block), strict=True)]
    across = _pairs(rng, block * block, p_out)
    edges = np.concatenate([*lower, np.stack([across // block, block + across % block])], 1)
    order = rng.permutation(nodes)  # place says nothing
    place = np.empty_like(order)
    place[order] = np.arange(nodes)
    by_block = [place[:block], place[block:]]
    train = np.concatenate([own[:labelled] for own in by_block])
    rest = rng.permutation(np.concatenate([own[labelled:] for own in by_block]))
    rows = {"train": train, "val": rest[:val], "test": rest[val : val + test]}
    return make_one_graph("made", "the embedded graph", x[order], place[edges], y[order], rows)


def _pairs(rng: np.random.Generator, pairs: int, p: float) -> np.ndarray:
    """Which of so many pairs have an edge, each with probability p; the pairs themselves are never all held."""
    wanted = int(rng.binomial(pairs, p))
    found = np.zeros(0, np.int64)
    while len(found) < wanted:
        found = np.unique(np.concatenate([found, rng.integers(0, pairs, wanted - len(found) + 16)]))
    return rng.permutation(found)[:wanted]


def _below_diagonal(codes: np.ndarray) -> np.ndarray:
    """The pairs (i, j), j < i, of numbers i (i - 1) / 2 + j."""
    i = ((1 + np.sqrt(8.0 * codes + 1)) / 2).astype(np.int64)
    i += (i * (i + 1) // 2 <= codes).astype(np.int64) - (i * (i - 1) // 2 > codes)  # where the root was rounded
    return np.stack([i, codes - i * (i - 1) // 2])


def barbells(seed: int, train: int, val: int, test: int) -> OneGraph:
    """One graph of so many barbells: two cliques of ten nodes, joined by a path of four. The feature f of each node is N(0, 1), and what is
    asked of it is the high pass f - A f, A being D^-1/2 (A + I) D^-1/2: the difference of the first two states of A's powers."""
    cliques = [(i + start, j + start) for start in (0, 14) for i in range(10) for j in range(i)]
    path = [(i, i + 1) for i in range(9, 14)]
    one = np.array(cliques + path).T
    one = np.concatenate([one, one[::-1]], 1)
    a = np.eye(BARBELL)
    a[one[0], one[1]] = 1
    scale = a.sum(0) ** -0.5
    a = scale[:, None] * a * scale
    samples = train + val + test
    f = np.random.default_rng([VERSION, seed, 3]).standard_normal((samples, BARBELL))
    edges = (one[:, None] + BARBELL * np.arange(samples)[:, None]).reshape(2, -1)
    parts = np.split(np.arange(samples * BARBELL), BARBELL * np.cumsum([train, val]))
    graph = make_graph(f.reshape(-1, 1), edges, (f - f @ a).reshape(-1, 1).astype(np.float32))
    return OneGraph("made", "the embedded barbells", graph, ["f - A f"], ["f"], dict(zip(SPLITS, parts, strict=True)), kind="numbers")
