"""What every picture of a graph with its answer has: the edges, and the weight of each layer beside them.

Legend: N nodes, L layers.
"""

from typing import Any

import numpy as np

from apps.histograph.draw import layer_bars
from apps.histograph.graph_layout import positions

__all__ = ["MOST", "mean_layers", "panels", "short", "thinned"]

MOST = 800  # nodes that are drawn


def thinned(edge_index: np.ndarray, rank_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the nodes of greatest rank, as many as are drawn, in their order; the edges between them by their new places)."""
    if len(rank_N) <= MOST:
        return np.arange(len(rank_N)), edge_index
    kept = np.sort(np.argsort(-rank_N, kind="stable")[:MOST])
    place = np.full(len(rank_N), -1)
    place[kept] = np.arange(MOST)
    edge_index = place[edge_index]
    return kept, edge_index[:, (edge_index >= 0).all(0)]


def panels(figure: Any, edge_index: np.ndarray, nodes: int, weight_L: np.ndarray, first: int) -> tuple[Any, np.ndarray, float]:
    """(the axis with the edges, where the nodes lie (N,2), the size of their dots)."""
    x_N2 = positions(edge_index, nodes)
    axis, bars = figure.subplots(1, 2, width_ratios=(2.6, 1))
    axis.set_axis_off()
    axis.set_aspect("equal")
    axis.margins(0.1)
    if nodes:  # a path may lie on a line: its picture has a height all the same, or its edges would be cut off
        middle, half = (x_N2.max(0) + x_N2.min(0)) / 2, 0.2 * np.ptp(x_N2, axis=0).max()
        axis.update_datalim([middle - half, middle + half])
    for source, target in {(min(pair), max(pair)) for pair in edge_index.T.tolist()}:
        axis.plot(*x_N2[[source, target]].T, color="#999999", linewidth=1.0, zorder=1)
    layer_bars(bars, weight_L, first)
    bars.set_title("weight of each layer", size=9)
    return axis, x_N2, float(np.clip(9000 / max(nodes, 1), 14, 260))


def mean_layers(answer: dict[str, Any]) -> np.ndarray:
    """(L,) of an answer; the mean where each node has its own."""
    weights = np.asarray(answer["layer_weights"], dtype=float)
    return weights if weights.ndim == 1 else weights.mean(0) if len(weights) else np.zeros(0)


def short(name: str) -> str:
    return name if len(name) <= 70 else f"...{name[-67:]}"
