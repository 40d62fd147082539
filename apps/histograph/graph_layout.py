"""Where to draw the nodes of a graph: eigenvectors of its Laplacian to begin with, then springs; each connected part by itself.

Legend: N nodes, E edges.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

__all__ = ["positions"]

ROUNDS = 120


def positions(edge_index: np.ndarray, nodes: int) -> np.ndarray:
    """(N,2), neighbours at a distance of about 1. The same graph is always laid out alike."""
    if nodes == 0:
        return np.zeros((0, 2))
    ones = np.ones(edge_index.shape[1])
    count, part_N = connected_components(coo_matrix((ones, (edge_index[0], edge_index[1])), (nodes, nodes)), directed=False)
    found = np.zeros((nodes, 2))
    boxes = []
    for part in range(count):
        members = np.flatnonzero(part_N == part)
        place = np.full(nodes, -1)
        place[members] = np.arange(len(members))
        own = place[edge_index[:, part_N[edge_index[0]] == part]]
        found[members] = _upright(_connected(own, len(members)))
        boxes.append((members, found[members].max(0) - found[members].min(0)))
    return _packed(found, boxes)


def _connected(edge_index: np.ndarray, nodes: int) -> np.ndarray:
    """Fruchterman and Reingold's springs (1991), from the second and third eigenvectors of the Laplacian."""
    if nodes < 3:
        return np.stack([np.arange(nodes), np.zeros(nodes)], 1).astype(float)
    near_NN = np.zeros((nodes, nodes))
    near_NN[edge_index[0], edge_index[1]] = near_NN[edge_index[1], edge_index[0]] = 1
    np.fill_diagonal(near_NN, 0)
    _, vector_NN = np.linalg.eigh(np.diag(near_NN.sum(0)) - near_NN)
    x_N2 = vector_NN[:, 1:3] * np.sqrt(nodes)
    # Nodes that the eigenvectors put on one spot would never part; the angle is a fixed one of each node.
    angle_N = np.arange(nodes) * 2.399963
    x_N2 += 0.05 * np.stack([np.cos(angle_N), np.sin(angle_N)], 1)
    for heat in np.linspace(0.3 * np.sqrt(nodes) ** 0.5, 0.01, ROUNDS):
        off_NN2 = x_N2[:, None] - x_N2[None]
        length_NN = np.maximum(np.linalg.norm(off_NN2, axis=2), 0.01)
        force_NN = 1 / length_NN - near_NN * length_NN**2
        np.fill_diagonal(force_NN, 0)
        move_N2 = (off_NN2 / length_NN[..., None] * force_NN[..., None]).sum(1)
        size_N1 = np.maximum(np.linalg.norm(move_N2, axis=1, keepdims=True), 1e-9)
        x_N2 = x_N2 + move_N2 / size_N1 * np.minimum(size_N1, heat)
    return x_N2


def _upright(x_N2: np.ndarray) -> np.ndarray:
    """The longest direction lies flat; the sign is fixed, because an eigenvector's is not."""
    x_N2 = x_N2 - x_N2.mean(0)
    _, _, axis_22 = np.linalg.svd(x_N2, full_matrices=False) if len(x_N2) > 1 else (0, 0, np.eye(2))
    x_N2 = x_N2 @ axis_22.T
    return x_N2 * np.where((x_N2**3).sum(0) < 0, -1, 1)


def _packed(x_N2: np.ndarray, boxes: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Connected parts on shelves, the largest first."""
    area = sum(float((size + 1).prod()) for _, size in boxes)
    width = max(1.5 * np.sqrt(area), max(float(size[0]) for _, size in boxes) + 1)
    left = top = deep = 0.0
    for members, size in sorted(boxes, key=lambda box: -len(box[0])):
        if left and left + size[0] > width:
            left, top, deep = 0.0, top + deep, 0.0
        x_N2[members] += np.array([left, -top - size[1]]) - x_N2[members].min(0)
        left, deep = left + size[0] + 1, max(deep, float(size[1]) + 1)
    return x_N2
