"""The tree of dependencies is a tree, and the heaviest one."""

import itertools

import pytest
import torch

from core_attention.maps import dependency_tree, parents


def weight(tree: list[int], weights: torch.Tensor) -> float:
    return sum(float(weights[child, child if parent < 0 else parent]) for child, parent in enumerate(tree))


def trees(n: int) -> list[list[int]]:
    """Every way to give each token a parent, one of them none, without circles."""
    found = []
    for tree in itertools.product(range(-1, n), repeat=n):
        if tree.count(-1) != 1 or any(parent == child for child, parent in enumerate(tree)):
            continue
        steps = [child for child in range(n) if reaches_root(tree, child)]
        if len(steps) == n:
            found.append(list(tree))
    return found


def reaches_root(tree: tuple[int, ...], child: int) -> bool:
    for _ in range(len(tree)):
        if child < 0:
            return True
        child = tree[child]
    return child < 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_no_tree_weighs_more(n: int, seed: int) -> None:
    weights = torch.rand(n, n, generator=torch.Generator().manual_seed(seed)).softmax(-1)
    every = trees(n)
    found = dependency_tree(weights).tolist()
    assert found in every
    assert weight(found, weights) == pytest.approx(max(weight(tree, weights) for tree in every))
    for root in range(n):
        told = dependency_tree(weights, root).tolist()
        assert told[root] == -1
        assert weight(told, weights) == pytest.approx(max(weight(tree, weights) for tree in every if tree[root] == -1))


def test_circles_are_broken_where_it_costs_least() -> None:
    weights = torch.tensor([[0.0, 0.9, 0.1], [0.8, 0.0, 0.2], [0.3, 0.7, 0.0]])
    assert parents(weights[None, None]).tolist() == [[1, 0, 1]]
    assert dependency_tree(weights, 1).tolist() == [1, -1, 1]


def test_a_large_tree_reaches_its_root_from_everywhere() -> None:
    tree = dependency_tree(torch.rand(120, 120, generator=torch.Generator().manual_seed(1))).tolist()
    assert all(reaches_root(tuple(tree), child) for child in range(120))


@pytest.mark.parametrize(("shape", "root"), [((2, 3), None), ((2, 2, 2), None), ((3, 3), 3)])
def test_what_is_no_map_is_refused(shape: tuple[int, ...], root: int | None) -> None:
    with pytest.raises(ValueError, match="dependency_tree"):
        dependency_tree(torch.rand(shape), root)
