"""Embedded sets of one graph: two blocks that differ in whom they know, of any size. And the high-pass task on barbells."""

import numpy as np

from datamodules.histograph.network import Network, make_network

__all__ = ["barbell", "two_blocks"]

VERSION = 1
WIDTH = 8
SHIFT = 0.5


def two_blocks(seed: int, block: int, p_in: float, p_out: float, labelled: int, val: int, test: int) -> Network:
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
    return make_network("made", "the embedded graph", x[order], place[edges], y[order], rows)


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


def barbell(samples: int, states: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Histories (samples * 24, states) of f, A f, A^2 f, ... and the target f - A f, a high pass. f is N(0, 1) on the nodes of two
    cliques of ten joined by a path of four; A is D^-1/2 (A + I) D^-1/2."""
    nodes = 24
    a = np.eye(nodes)
    a[:10, :10] = a[14:, 14:] = 1
    for i in range(9, 14):
        a[i, i + 1] = a[i + 1, i] = 1
    scale = a.sum(0) ** -0.5
    a = scale[:, None] * a * scale
    f = np.random.default_rng([VERSION, seed, 3]).standard_normal((samples, nodes))
    history = [f]
    for _ in range(max(states - 1, 1)):
        history.append(history[-1] @ a)
    return np.stack(history[:states], -1).reshape(-1, states), (f - history[1]).ravel()
