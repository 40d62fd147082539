"""The tree of dependencies in a map whose rows say where each token sends (the mixer `reversed`): its maximum spanning arborescence.

Shapes: B batch, H heads, N tokens.
"""

from typing import cast

import torch
from torch import Tensor

__all__ = ["dependency_tree", "parents"]


def parents(map_BHNN: Tensor) -> Tensor:
    """Where each token sends most, by the mean of the heads, itself left out (B,N). They may go round in circles."""
    mean_BNN = map_BHNN.mean(1)
    self_NN = torch.eye(mean_BNN.shape[-1], dtype=torch.bool, device=mean_BNN.device)
    return mean_BNN.masked_fill(self_NN, -torch.inf).argmax(-1)


def dependency_tree(map_NN: Tensor, root: int | None = None) -> Tensor:
    """The parent of each token (N,), -1 for the root: of all trees the one whose edges, child to parent, weigh most (Chu-Liu, Edmonds).

    root: which token it is; None: the one that makes the heaviest tree, a root weighing what it sends to itself.

    >>> dependency_tree(mixer(x, need="full")[1].mean(1)[0])
    """
    n = map_NN.shape[-1]
    if map_NN.shape != (n, n) or not n:
        raise ValueError(f"dependency_tree: one map (N,N), not {tuple(map_NN.shape)}; take the mean of the heads of one sample")
    if root is not None and not 0 <= root < n:
        raise ValueError(f"dependency_tree: there is no token {root} of {n}")
    weights = map_NN.detach().double().cpu()
    # Node n stands above the root. An edge to it is so dear that exactly one is taken.
    dear = 2 * float(weights.abs().sum()) + 1
    full = torch.full((n + 1, n + 1), -torch.inf, dtype=torch.float64)
    full[:n, :n] = weights
    full[:n, n] = weights.diagonal() - dear
    if root is not None:
        full[:n, n].masked_fill_(torch.arange(n) != root, -torch.inf)
        full[root, :n] = -torch.inf
    full.fill_diagonal_(-torch.inf)
    above = _arborescence(cast(list[list[float]], full.tolist()), n)  # pyright: ignore[reportUnknownMemberType]
    return torch.tensor([-1 if parent == n else parent for parent in above[:n]], device=map_NN.device)


def _arborescence(weights: list[list[float]], top: int) -> list[int]:
    """The parent of each node but `top`, whose own is meaningless. weights[child][parent]."""
    count = len(weights)
    best = [max(range(count), key=lambda parent, child=child: weights[child][parent]) if child != top else -1 for child in range(count)]
    cycle = _cycle(best, top)
    if not cycle:
        return best
    # The circle becomes one node: who leaves it from `child` gives up the edge that `child` had within.
    inside = set(cycle)
    rest = [node for node in range(count) if node not in inside]
    place = {node: i for i, node in enumerate(rest)}
    whole = len(rest)
    small = [[weights[child][parent] for parent in rest] + [max(weights[child][one] for one in cycle)] for child in rest]
    leaver = [max(cycle, key=lambda child, parent=parent: weights[child][parent] - weights[child][best[child]]) for parent in rest]
    ahead = [weights[child][parent] - weights[child][best[child]] for child, parent in zip(leaver, rest, strict=True)]
    small.append([*ahead, float("-inf")])
    found = _arborescence(small, place[top])
    result = list(best)
    for child in rest:
        if child != top:
            parent = found[place[child]]
            result[child] = rest[parent] if parent != whole else max(cycle, key=lambda one, child=child: weights[child][one])
    out = found[whole]
    result[leaver[out]] = rest[out]
    return result


def _cycle(parent: list[int], top: int) -> list[int]:
    """The nodes of one circle, or none."""
    seen: dict[int, int] = {}
    for start in range(len(parent)):
        node = start
        while node != top and node not in seen:
            seen[node] = start
            node = parent[node]
        if node != top and seen[node] == start:
            circle = [node]
            while parent[circle[-1]] != node:
                circle.append(parent[circle[-1]])
            return circle
    return []
