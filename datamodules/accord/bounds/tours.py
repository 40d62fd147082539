"""Tours: Held and Karp's 1-tree with multipliers (1971); for one-way distances the assignment bound, too. Exact in integers."""

import numpy as np

from datamodules.accord.bounds.trees import room_to_scale, spanning_tree

__all__ = ["tour_bound"]

WORK = 8_000  # ours: nodes times steps; some tens of milliseconds
SLOWEST = 1 / 256  # ours: steps that are shorter no longer pay


def tour_bound(distances: np.ndarray) -> int:
    """distances (N,N), int64."""
    count = len(distances)
    if count == 1:
        return 0
    if count == 2:
        return int(distances[0, 1]) + int(distances[1, 0])
    if (distances == distances.T).all():
        return _one_tree(distances)
    return max(_one_tree(np.minimum(distances, distances.T)), _assignment(distances))


def _one_tree(distances: np.ndarray) -> int:
    """max over pi of (least 1-tree of d_ij + pi_i + pi_j) - 2 sum of pi: any integers pi give a bound, a subgradient finds good ones."""
    count = len(distances)
    scale = room_to_scale(distances)
    two = np.partition(distances + np.diag([np.iinfo(np.int64).max // 2] * count), 1)[:, :2]  # each node's two nearest
    if scale == 0:  # such numbers leave no room for multipliers
        return -(-sum(map(sum, two.tolist())) // 2)
    d = distances * scale
    upper = _nearest_neighbour(d)
    pi = two.sum(1) * scale // -2  # ours: a start that brings far nodes as near as the others
    limit = int(d.max(initial=0))
    best, steps, pace, stale = 0, max(20, min(200, WORK // count)), 1.0, 0
    last = np.zeros(count)
    for _ in range(steps):
        value, degree = _tree(d + pi[:, None] + pi[None, :])
        value -= 2 * int(pi.sum())
        if value > best:
            best, stale = value, 0
        else:
            stale += 1
            if stale >= 4:
                pace, stale = pace / 2, 0
                if pace < SLOWEST:
                    break
        way = degree - 2.0
        if not way.any():
            break  # the 1-tree is a tour: the bound is the optimum
        way, last = 0.7 * way + 0.3 * last, way  # Volgenant and Jonker's smoothing
        step = pace * max(1, upper - value) / float(way @ way)
        pi = np.clip(pi + np.rint(step * way).astype(np.int64), -limit, limit)
    return -(-best // scale)


def _tree(d: np.ndarray) -> tuple[int, np.ndarray]:
    """Least 1-tree: a tree of all nodes but the last, which is joined to its two nearest. (length, degrees)"""
    count = len(d)
    parent, length = spanning_tree(d[:-1, :-1])
    degree = np.bincount(parent, minlength=count)
    degree[1 : count - 1] += 1
    two = np.argpartition(d[-1, :-1], 1)[:2]
    degree[two] += 1
    degree[-1] = 2
    return int(length.sum()) + int(d[-1, two].sum()), degree


def _nearest_neighbour(d: np.ndarray) -> int:
    left = np.ones(len(d), bool)
    node, total = 0, 0
    for _ in range(len(d) - 1):
        left[node] = False
        after = int(np.where(left, d[node], np.iinfo(np.int64).max).argmin())
        total, node = total + int(d[node, after]), after
    return total + int(d[node, 0])


def _assignment(distances: np.ndarray) -> int:
    """Every node has one successor, not itself. Distances are rounded down so far that the solver's floats are exact."""
    from scipy.optimize import linear_sum_assignment

    unit = max(1, int(distances.max()) * len(distances) * 4 >> 52)
    costs = distances // unit
    forbidden = (int(costs.max()) + 1) * len(costs)
    np.fill_diagonal(costs, forbidden)
    rows, columns = linear_sum_assignment(costs)
    return int(costs[rows, columns].sum()) * unit
