"""What layer weights of each kind can filter, without learning: the high-pass task on a barbell of two cliques and a path."""

import numpy as np
import pytest

STATES = 3


def barbell() -> tuple[np.ndarray, np.ndarray]:
    """Histories (samples * nodes, states) of f, A f, A^2 f, and the target f - A f."""
    nodes = 24
    a = np.eye(nodes)
    a[:10, :10] = a[14:, 14:] = 1
    for i in range(9, 14):
        a[i, i + 1] = a[i + 1, i] = 1
    scale = a.sum(0) ** -0.5
    a = scale[:, None] * a * scale
    f = np.random.default_rng(0).standard_normal((200, nodes))
    states = [f]
    for _ in range(STATES - 1):
        states.append(states[-1] @ a)
    return np.stack(states, -1).reshape(-1, STATES), (f - f @ a).ravel()


def error(weights: np.ndarray) -> float:
    """Relative squared error of the filter, its scale free: a matrix follows."""
    history, target = barbell()
    z = history @ weights
    best = (z @ target) / (z @ z)
    return float(((target - best * z) ** 2).sum() / (target**2).sum())


def test_a_difference_of_layers_is_within_l1_and_beyond_softmax() -> None:
    assert error(np.array([0.5, -0.5, 0.0])) == pytest.approx(0.0, abs=1e-12)  # sizes sum to 1
    grid = np.linspace(0, 1, 21)
    convex = min(error(np.array([p, q, 1 - p - q])) for p in grid for q in grid if p + q <= 1)
    assert convex >= 0.12


def test_weights_that_sum_to_one_come_near_it_only_by_growing() -> None:
    errors = [error(np.array([bound, 1 - bound, 0.0])) for bound in (2.0, 5.0, 20.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.12
    assert errors[1] > 1e-4
    assert errors[2] < errors[1] / 10
